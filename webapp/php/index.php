<?php

// The probe API, as webapp/probe.py serves it: every request of every path comes here.

declare(strict_types=1);

namespace Hopproof;

require __DIR__ . '/Json.php';
require __DIR__ . '/SessionHandler.php';
require __DIR__ . '/Session.php';
require __DIR__ . '/events.php';

const MAX_BODY_BYTES = 65536;
const MAX_KEY_LENGTH = 128;
const MAX_USER_BYTES = 64;
// Paths that only the Python servers have: the page with its forms, and the list of a user's sessions. Never a path
// that begins with two slashes: a browser would take it for another host.
const ELSEWHERE = '#^/(cart|login|logout|logout-everywhere|end-session|api/sessions(/[0-9a-f]{64})?)?$#D';
// Exists while this container drains; see start.
const DRAINING = '/dev/shm/draining';
// The last answer of the table to /healthz/store, and its time.
const STORE_ANSWER = '/dev/shm/store-answer';

/** An answer that says what went wrong (RFC 9457). */
final class Problem extends \RuntimeException
{
    public function __construct(
        public readonly int $status,
        public readonly string $kind,
        string $detail,
        public readonly ?string $key = null,
    ) {
        parent::__construct($detail);
    }
}

/** Return the answer, to be sent as JSON, or null for 204. */
function answer(string $method, string $path, string $server, Session $session, SessionHandler $handler): ?array
{
    if (!in_array($method, ['GET', 'HEAD', 'OPTIONS'], true) && !is_of_this_site()) {
        record('refused-origin', origin: $_SERVER['HTTP_ORIGIN'] ?? null, site: $_SERVER['HTTP_SEC_FETCH_SITE'] ?? null);
        throw new Problem(403, 'cross-site', 'Another site cannot change a session here.');
    }
    // The key is everything after the prefix of a path like /api/session/data/<key>.
    if (preg_match('#^/api/session/(data|counters|lists)/(.*)$#Ds', $path, $match)) {
        return with_key($method, $match[1], key_in_path($match[2]), $session);
    }
    $method = $method === 'HEAD' ? 'GET' : $method;
    switch ("$method $path") {
        case 'GET /api/stateless':
        case 'GET /healthz':
            return ['server' => $server];
        case 'GET /readyz':
            // Never asks the database: a dependency that all servers share must not take them all out.
            if (file_exists(DRAINING)) {
                file_put_contents(DRAINING, '.', FILE_APPEND); // a byte for each time that the balancer heard it
                throw new Problem(404, 'draining', 'This server finishes what it has and takes nothing new.');
            }
            return ['server' => $server];
        case 'GET /healthz/store':
            if (!store_answers($handler)) {
                throw new Problem(503, 'store-unavailable', 'The session table does not answer.');
            }
            return ['server' => $server];
        case 'GET /api/session':
            $session->start();
            return ['server' => $server, 'user' => $handler->user, 'data' => (object) $_SESSION];
        case 'POST /api/login':
            $body = json_body();
            $user = is_array($body) ? $body['user'] ?? null : null;
            if (!is_string($user) || $user === '' || strlen($user) > MAX_USER_BYTES) {
                throw new Problem(400, 'bad-user', 'A user is a name of 1 to ' . MAX_USER_BYTES . ' bytes of UTF-8.');
            }
            $session->login($user);
            record('login', $handler->created, user: $user, before: digits($session->id));
            return ['user' => $user];
        case 'POST /api/logout':
            $session->logout();
            if ($session->id !== null) {
                record('logout', $session->id);
            }
            return null;
        case 'POST /api/logout-everywhere':
            $ended = $session->logoutEverywhere();
            if ($ended === null) {
                throw new Problem(401, 'not-logged-in', 'Log in first: only a user has sessions to end.');
            }
            record('logout-everywhere', $session->id, user: $handler->user, ended: $ended);
            return ['ended' => $ended];
    }
    $known = ['/api/session', '/api/stateless', '/api/login', '/api/logout', '/api/logout-everywhere', '/healthz', '/readyz'];
    if (in_array($path, $known, true)) {
        throw new Problem(405, 'method-not-allowed', "Not with $method.");
    }
    throw new Problem(404, 'not-found', 'Nothing is here.');
}

/** Say whether the table answers, as it was a second ago at most: everybody may ask, and a question costs a query. */
function store_answers(SessionHandler $handler): bool
{
    $kept = fopen(STORE_ANSWER, 'c+');
    flock($kept, LOCK_EX); // who comes meanwhile waits for this answer
    [$at, $said] = explode(' ', stream_get_contents($kept), 2) + ['0', ''];
    if (abs(microtime(true) - (float) $at) >= 1) {
        try {
            $handler->validateId($handler->create_sid());
            $said = 'yes';
        } catch (SessionError $error) {
            error_log("session store unavailable: {$error->getMessage()}");
            $said = 'no';
        }
        ftruncate($kept, 0);
        rewind($kept);
        fwrite($kept, microtime(true) . " $said");
    }
    return $said === 'yes';
}

function with_key(string $method, string $what, string $key, Session $session): ?array
{
    switch ("$method $what") {
        case 'PUT data':
            $value = json_body();
            $session->start();
            $_SESSION[$key] = $value;
            return null;
        case 'DELETE data':
            $session->start();
            unset($_SESSION[$key]);
            return null;
        case 'POST counters':
            return ['value' => $session->add($key)];
        case 'POST lists':
            return ['length' => $session->append($key, json_body())];
    }
    throw new Problem(405, 'method-not-allowed', "Not with $method.");
}

function key_in_path(string $encoded): string
{
    $key = rawurldecode($encoded);
    if (!mb_check($key)) {
        throw new Problem(400, 'bad-key', 'The key is not UTF-8.');
    }
    $length = preg_match_all('/./su', $key);
    if ($length < 1 || $length > MAX_KEY_LENGTH) {
        throw new Problem(400, 'bad-key', 'A key has 1 to ' . MAX_KEY_LENGTH . " characters, this one $length.");
    }
    return $key;
}

/** Say whether the text is UTF-8. */
function mb_check(string $text): bool
{
    return preg_match('//u', $text) === 1;
}

function json_body(): mixed
{
    $body = file_get_contents('php://input', length: MAX_BODY_BYTES + 1);
    if (strlen($body) > MAX_BODY_BYTES) {
        throw new Problem(413, 'too-large', 'A body has at most ' . MAX_BODY_BYTES . ' bytes.');
    }
    try {
        return Json::parse($body);
    } catch (NotIJson $error) {
        throw new Problem(400, 'not-i-json', "The body is refused: {$error->getMessage()}.");
    }
}

/** Browsers say where a request comes from; programs need not. */
function is_of_this_site(): bool
{
    $site = $_SERVER['HTTP_SEC_FETCH_SITE'] ?? null;
    if ($site !== null) {
        return in_array($site, ['same-origin', 'none'], true);
    }
    $origin = $_SERVER['HTTP_ORIGIN'] ?? null; // an old browser, or a program
    // The scheme is the one that the balancer says.
    $ours = ($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? 'http') . '://' . ($_SERVER['HTTP_HOST'] ?? '');
    return $origin === null || (origin($origin) !== null && origin($origin) === origin($ours));
}

/** Return scheme, host and port in one spelling, null for what is no origin. The port of a scheme may be left out. */
function origin(string $text): ?string
{
    $url = parse_url(strtolower($text));
    $port = $url['port'] ?? ['http' => 80, 'https' => 443][$url['scheme'] ?? ''] ?? null;
    return isset($url['scheme'], $url['host'], $port) ? "$url[scheme]://$url[host]:$port" : null;
}

function problem_of(SessionError $error): Problem
{
    if ($error instanceof SessionGone) {
        return new Problem(409, 'session-gone', 'The session was ended. Nothing was changed.');
    }
    if ($error instanceof SessionRefused) {
        $status = ['not-i-json' => 400, 'too-large' => 413, 'wrong-type' => 409][$error->kind];
        return new Problem($status, $error->kind, "{$error->getMessage()}. Nothing was changed.", $error->key);
    }
    if ($error instanceof SessionBroken) {
        error_log($error->getMessage());
        $detail = 'What is stored of this session cannot be used. Nothing was changed; a logout ends it.';
        return new Problem(500, 'session-broken', $detail);
    }
    error_log("session store unavailable: {$error->getMessage()}");
    return new Problem(
        503,
        'store-unavailable',
        'The session store does not answer. Nothing is lost that was acknowledged; try again.',
    );
}

$server = 'php-' . gethostname();
header("X-Served-By: $server");
header('Cache-Control: no-store');
header('X-Content-Type-Options: nosniff');
$path = explode('?', $_SERVER['REQUEST_URI'], 2)[0];
if (preg_match(ELSEWHERE, $path) === 1) {
    // 307 keeps method and body. The next server in turn answers it.
    header("Location: {$_SERVER['REQUEST_URI']}", response_code: 307);
    exit;
}

['handler' => $handler, 'cookie' => $cookie, 'cookieMaxAgeS' => $max_age_s, 'cookieSecure' => $secure]
    = require __DIR__ . '/settings.php';
$session = new Session($handler, $_SERVER['HTTP_COOKIE'] ?? '', $cookie, $max_age_s, $secure);
try {
    $answer = answer($_SERVER['REQUEST_METHOD'], $path, $server, $session, $handler);
    // Before the first byte of the answer leaves: the next request finds the change on any server.
    $session->save();
} catch (SessionError $error) {
    $problem = problem_of($error);
} catch (Problem $raised) {
    $problem = $raised;
} catch (\Throwable $error) {
    error_log((string) $error);
    $problem = new Problem(500, 'internal-server-error', 'A route failed.');
}
if ($session->wasUnknown) {
    record('unknown-id', $session->id);
}
$session->sendCookie();
if (isset($problem)) {
    http_response_code($problem->status);
    header('Content-Type: application/problem+json');
    if ($problem->status === 503) {
        header('Retry-After: 1');
    }
    $answer = ['type' => "urn:hopproof:problem:$problem->kind", 'title' => $problem->kind, 'status' => $problem->status,
        'detail' => $problem->getMessage()];
    if ($problem->key !== null) {
        $answer['key'] = $problem->key;
    }
} elseif ($answer === null) {
    http_response_code(204);
    exit;
} else {
    header('Content-Type: application/json');
}
echo json_encode($answer, JSON_PRESERVE_ZERO_FRACTION | JSON_INVALID_UTF8_SUBSTITUTE);
