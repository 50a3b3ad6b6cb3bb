<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{title}} · Hopproof</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
% # Inline, so that a visit is one request. Style sheet and icon would take turns on the servers as well,
% # and with as many servers as requests per visit the page would always come from the same one.
<link rel="icon" href="{{icon}}">
<style>{{!style}}</style>
</head>
<body>
<header><a class="brand" href="/"><img src="{{icon}}" alt="" width="24" height="24">Hopproof</a></header>
{{!base}}
</body>
</html>
