<?php
// The public/index.php of a Laravel application, and the answers that need none.

declare(strict_types=1);

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request;

$path = strtok($_SERVER['REQUEST_URI'], '?');
if (in_array($path, ['/healthz', '/readyz', '/api/stateless'], true)) {
    $server = 'web-' . gethostname();
    header('X-Served-By: ' . $server);
    header('Cache-Control: no-store');
    header('Content-Type: application/json');
    exit(json_encode(['server' => $server]));
}

$kernel = (require __DIR__ . '/application.php')->make(Kernel::class);
$request = Request::capture();
$response = $kernel->handle($request)->send();
$kernel->terminate($request, $response);
