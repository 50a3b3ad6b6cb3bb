<?php

// The environment, as webapp/config.py reads it. `php settings.php` refuses a bad value before anything starts.

declare(strict_types=1);

namespace Hopproof;

require_once __DIR__ . '/SessionHandler.php';

function whole(string $name, int $default, int $least = 1): int
{
    $raw = getenv($name) ?: (string) $default;
    if (!ctype_digit($raw) || (int) $raw < $least) {
        throw new \UnexpectedValueException("$name='$raw' is not a whole number from $least on; try $name=$default");
    }
    return (int) $raw;
}

// Whole seconds, because PDO takes no fractions. A request that connects and then asks may wait twice.
$deadlineS = (float) (getenv('STORE_DEADLINE_S') ?: 2.5);
$timeoutS = max(1, (int) $deadlineS);

return [
    'cookie' => getenv('SESSION_COOKIE') ?: 'session',
    'cookieMaxAgeS' => whole('SESSION_COOKIE_MAX_AGE_S', 0, 0),
    'cookieSecure' => getenv('SESSION_COOKIE_SECURE') === 'yes',
    'handler' => new SessionHandler(
        fn () => SessionHandler::connect(
            getenv('DB_HOST') ?: 'db',
            whole('DB_PORT', 3306),
            getenv('DB_NAME') ?: 'hopproof',
            getenv('DB_USER') ?: 'web',
            trim(file_get_contents(getenv('DB_PASSWORD_FILE') ?: '/run/secrets/db_web_password')),
            $timeoutS,
        ),
        idleS: whole('SESSION_IDLE_S', 1800),
        absoluteS: whole('SESSION_ABSOLUTE_S', 43200),
        touchS: whole('SESSION_TOUCH_S', 60),
        tombstoneS: whole('TOMBSTONE_S', 60),
        maxBytes: whole('SESSION_MAX_BYTES', 65536),
        deadlineS: $deadlineS,
    ),
];
