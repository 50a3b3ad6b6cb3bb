<?php
// The probe API without a session, and the way to the store named by PEER. ../probe.py is the same for Python's stores.

declare(strict_types=1);

$server = 'web-' . gethostname();
header('X-Served-By: ' . $server);
header('Cache-Control: no-store');
$path = strtok($_SERVER['REQUEST_URI'], '?');
$parts = explode('/', $path);
$route = $_SERVER['REQUEST_METHOD'] . ' ' . implode('/', array_slice($parts, 2, 2));
$key = rawurldecode($parts[4] ?? '');

if ($path === '/healthz' || $path === '/readyz') {
    exit;
}
if ($route === 'GET stateless') {
    answer(['server' => $server]);
    exit;
}

/** The JSON of the request. An object stays one: as an array, an empty one would come back as a list. */
function body(): mixed
{
    return json_decode(file_get_contents('php://input'));
}

function answer(array $value): void
{
    header('Content-Type: application/json');
    echo json_encode($value, JSON_PRESERVE_ZERO_FRACTION);
}

$peer = getenv('PEER') ?: 'php-classic';
require __DIR__ . ($peer === 'php-classic' ? '/classic.php' : '/symfony.php');
