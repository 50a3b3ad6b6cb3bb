<?php

// The environment, as webapp/config.py reads it. `php settings.php` refuses a bad value before anything starts.

declare(strict_types=1);

namespace Hopproof;

require_once __DIR__ . '/SessionHandler.php';

function whole(string $name, int $default, int $least, int $most): int
{
    $raw = (string) getenv($name);
    $raw = $raw === '' ? (string) $default : $raw;
    if (!ctype_digit($raw) || strlen($raw) > 12 || (int) $raw < $least || (int) $raw > $most) {
        throw new \UnexpectedValueException("$name='$raw' is not a whole number from $least to $most; try $name=$default");
    }
    return (int) $raw;
}

function name_of(string $setting, string $default, string $pattern): string
{
    $raw = getenv($setting) ?: $default;
    if (preg_match($pattern, $raw) !== 1) {
        throw new \UnexpectedValueException("$setting='$raw' cannot be used; try $setting=$default");
    }
    return $raw;
}

const YEAR_S = 366 * 24 * 3600;
const COOKIE_NAME = '/^(?!(?:__host-|__secure-)|(?:expires|max-age|domain|path|secure|httponly|samesite|partitioned)$)[a-z0-9_-]{1,64}$/iD';

// Whole seconds, because PDO takes no fractions.
$deadlineS = (float) (getenv('STORE_DEADLINE_S') ?: 2.5);
$timeoutS = max(1, (int) $deadlineS);
$idleS = whole('SESSION_IDLE_S', 1800, 1, YEAR_S);
$maxBytes = whole('SESSION_MAX_BYTES', 65536, 1, 1_000_000);

return [
    'cookie' => name_of('SESSION_COOKIE', 'session', COOKIE_NAME),
    'cookieMaxAgeS' => whole('SESSION_COOKIE_MAX_AGE_S', 0, 0, 400 * 24 * 3600),
    'cookieSecure' => getenv('SESSION_COOKIE_SECURE') === 'yes',
    'handler' => new SessionHandler(
        fn () => SessionHandler::connect(
            getenv('DB_HOST') ?: 'db',
            whole('DB_PORT', 3306, 1, 65535),
            name_of('DB_NAME', 'hopproof', '/^[A-Za-z0-9_-]{1,64}$/D'),
            getenv('DB_USER') ?: 'web',
            trim(file_get_contents(getenv('DB_PASSWORD_FILE') ?: '/run/secrets/db_web_password')),
            $timeoutS,
            getenv('DB_TLS') === 'verify' ? (getenv('DB_TLS_CA') ?: '/etc/ssl/certs/ca-certificates.crt') : '',
        ),
        idleS: $idleS,
        absoluteS: whole('SESSION_ABSOLUTE_S', 43200, 1, YEAR_S),
        touchS: whole('SESSION_TOUCH_S', 60, 1, YEAR_S),
        tombstoneS: whole('TOMBSTONE_S', 60, 21, 24 * 3600),
        maxBytes: $maxBytes,
        anonymousIdleS: whole('SESSION_ANONYMOUS_IDLE_S', $idleS, 1, $idleS),
        sessionsPerUser: whole('SESSIONS_PER_USER', 100, 0, 500),
        anonymousMaxBytes: whole('SESSION_ANONYMOUS_MAX_BYTES', $maxBytes, 1, $maxBytes),
        deadlineS: $deadlineS,
    ),
];
