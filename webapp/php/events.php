<?php

// Security events, one line each in the container's log, as webapp/events.py writes them.

declare(strict_types=1);

namespace Hopproof;

const LONGEST = 200; // bytes of a text that a visitor has chosen

/**
 * Write the line of an event. A fact that is null is left out.
 *
 * @param ?string $id of the session that it is about; the line has the first digits of its key
 */
function record(string $event, ?string $id = null, string|int|null ...$facts): void
{
    $cut = fn (string|int|null $fact) => is_string($fact) ? substr($fact, 0, LONGEST) : $fact;
    $line = ['time' => date('Y-m-d\TH:i:sO'), 'level' => 'info', 'logger' => 'events', 'message' => $event,
        'request_id' => $_SERVER['HTTP_X_REQUEST_ID'] ?? null, 'event' => $event, 'key' => digits($id)] + array_map($cut, $facts);
    $told = array_filter($line, fn (string|int|null $fact) => $fact !== null);
    file_put_contents('php://stderr', json_encode($told, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}

/** Return the first digits of the key of a session, null without an id. */
function digits(?string $id): ?string
{
    return $id === null ? null : substr(SessionHandler::key($id), 0, 12);
}
