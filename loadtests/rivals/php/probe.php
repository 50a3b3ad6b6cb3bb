<?php
// The probe API, as far as the benchmark speaks it, on $_SESSION. ../probe.py is the same for Python's stores.

declare(strict_types=1);
require __DIR__ . '/sessions.php';

$server = 'web-' . gethostname();
header('X-Served-By: ' . $server);
header('Content-Type: application/json');
header('Cache-Control: no-store');
$parts = explode('/', strtok($_SERVER['REQUEST_URI'], '?'));
$route = $_SERVER['REQUEST_METHOD'] . ' ' . implode('/', array_slice($parts, 2, 2));
$key = rawurldecode($parts[4] ?? '');

if ($route === 'GET stateless') {
    exit(json_encode(['server' => $server]));
}

session_set_save_handler(new Sessions(), true);
session_start();
switch ($route) {
    case 'GET session':
        $data = array_diff_key($_SESSION, ['_user' => 0]);
        echo json_encode(['server' => $server, 'user' => $_SESSION['_user'] ?? null, 'data' => (object) $data]);
        break;
    case 'PUT session/data':
        $_SESSION[$key] = json_decode(file_get_contents('php://input'), true);
        http_response_code(204);
        break;
    case 'POST session/counters':
        $_SESSION[$key] = ($_SESSION[$key] ?? 0) + 1;
        echo json_encode(['value' => $_SESSION[$key]]);
        break;
    case 'POST login':
        session_regenerate_id(true);
        $_SESSION['_user'] = json_decode(file_get_contents('php://input'), true)['user'];
        echo json_encode(['user' => $_SESSION['_user']]);
        break;
    default:
        http_response_code(404);
        echo json_encode(['status' => 404]);
}
