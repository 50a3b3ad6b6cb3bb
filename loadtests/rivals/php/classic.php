<?php
// The six functions below PHP's own sessions, with PHP's defaults. Logging out is the example of the manual's page on
// session_destroy().

declare(strict_types=1);
require __DIR__ . '/sessions.php';

session_set_save_handler(new Sessions(), true);
session_start();
switch ($route) {
    case 'GET session':
        $data = (object) array_diff_key($_SESSION, ['_user' => 0]);
        answer(['server' => $server, 'user' => $_SESSION['_user'] ?? null, 'data' => $data]);
        break;
    case 'PUT session/data':
        $_SESSION[$key] = body();
        http_response_code(204);
        break;
    case 'DELETE session/data':
        unset($_SESSION[$key]);
        http_response_code(204);
        break;
    case 'POST session/counters':
        $_SESSION[$key] = ($_SESSION[$key] ?? 0) + 1;
        answer(['value' => $_SESSION[$key]]);
        break;
    case 'POST session/lists':
        $_SESSION[$key][] = body();
        answer(['length' => count($_SESSION[$key])]);
        break;
    case 'POST login':
        session_regenerate_id(true);
        $_SESSION['_user'] = body()->user;
        answer(['user' => $_SESSION['_user']]);
        break;
    case 'POST logout':
        $_SESSION = [];
        ['path' => $path, 'domain' => $domain] = session_get_cookie_params();
        setcookie(session_name(), '', time() - 42000, $path, $domain);
        session_destroy();
        http_response_code(204);
        break;
    default:
        http_response_code(404);
        answer(['status' => 404]);
}
