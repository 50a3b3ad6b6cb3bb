<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{title}} · Hopproof</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" href="/static/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<header><a class="brand" href="/"><img src="/static/favicon.svg" alt="" width="24" height="24">Hopproof</a></header>
{{!base}}
</body>
</html>
