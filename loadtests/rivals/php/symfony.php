<?php
// Symfony's session, as its documentation uses it outside the framework. A login does what
// SessionAuthenticationStrategy does with the session, a logout what SessionLogoutListener does.

declare(strict_types=1);
require __DIR__ . '/handler.php';

use Symfony\Component\HttpFoundation\Session\Session;
use Symfony\Component\HttpFoundation\Session\Storage\NativeSessionStorage;

$session = new Session(new NativeSessionStorage([], handler()));
$session->start();
$status = 200;
$answer = [];
switch ($route) {
    case 'GET session':
        $data = (object) array_diff_key($session->all(), ['_user' => 0]);
        $answer = ['server' => $server, 'user' => $session->get('_user'), 'data' => $data];
        break;
    case 'PUT session/data':
        $session->set($key, body());
        $status = 204;
        break;
    case 'DELETE session/data':
        $session->remove($key);
        $status = 204;
        break;
    case 'POST session/counters':
        $session->set($key, $session->get($key, 0) + 1);
        $answer = ['value' => $session->get($key)];
        break;
    case 'POST session/lists':
        $session->set($key, [...$session->get($key, []), body()]);
        $answer = ['length' => count($session->get($key))];
        break;
    case 'POST login':
        $session->migrate(true);
        $session->set('_user', body()->user);
        $answer = ['user' => $session->get('_user')];
        break;
    case 'POST logout':
        $session->invalidate();
        $status = 204;
        break;
    default:
        $status = 404;
        $answer = ['status' => 404];
}
// Before the answer, as the framework does.
$session->save();
http_response_code($status);
if ($status !== 204) {
    answer($answer);
}
