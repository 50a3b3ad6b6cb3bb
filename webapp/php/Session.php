<?php

declare(strict_types=1);

namespace Hopproof;

/**
 * The visitor's session for the length of one request: the cookie, and PHP's own $_SESSION on our handler.
 *
 * PHP would send a cookie after every session_start(), also for a request that only reads, and so replace the
 * cookie that a login in another tab has just set. So this class sends it: once, when a session is created.
 */
final class Session
{
    /** The first well-formed id in the cookie. */
    public readonly ?string $id;
    /** True once the table had no live session under that id. */
    public private(set) bool $wasUnknown = false;
    private bool $isEnded = false;

    /** @param string $cookieHeader as it came: $_COOKIE would decode what Python takes as it is */
    public function __construct(
        private readonly SessionHandler $handler,
        string $cookieHeader,
        private readonly string $cookie = 'session',
        private readonly int $cookieMaxAgeS = 0,
        private readonly bool $cookieSecure = false,
    ) {
        // The first well-formed one, as in webapp/hopproof/web.py: every server of the rotation picks the same.
        $id = null;
        foreach (explode(';', $cookieHeader) as $pair) {
            [$name, $value] = explode('=', trim($pair), 2) + [1 => ''];
            if ($name === $this->cookieName() && preg_match(SessionHandler::ID, $value)) {
                $id = $value;
                break;
            }
        }
        $this->id = $id;
    }

    /** Fill $_SESSION, as session_start() does. */
    public function start(): void
    {
        session_set_save_handler($this->handler, true);
        if ($this->id !== null) {
            session_id($this->id);
        }
        session_start([
            'use_strict_mode' => 1, // an id that the table does not know is never adopted
            'serialize_handler' => 'php_serialize', // takes any key
            'use_cookies' => 0,
            'cache_limiter' => '',
            'gc_probability' => 0,
        ]);
        $this->wasUnknown = $this->id !== null && !$this->handler->wasLive;
    }

    /** Write the changes of $_SESSION. Call it before the first byte of the body. */
    public function save(): void
    {
        if (session_status() === PHP_SESSION_ACTIVE) {
            session_write_close();
        }
    }

    /** Send the cookie, if the answer needs one: on errors, too, or a session that was created is lost. */
    public function sendCookie(): void
    {
        if ($this->isEnded) {
            setcookie($this->cookieName(), '', ['expires' => 1] + $this->cookieAttributes());
        } elseif ($this->handler->created !== null) {
            $expires = $this->cookieMaxAgeS === 0 ? 0 : time() + $this->cookieMaxAgeS;
            setcookie($this->cookieName(), $this->handler->created, ['expires' => $expires] + $this->cookieAttributes());
        }
    }

    public function add(string $key): int
    {
        return $this->onLive(fn (string $id) => $this->handler->add($id, $key));
    }

    public function append(string $key, mixed $value): int
    {
        return $this->onLive(fn (string $id) => $this->handler->append($id, $key, $value));
    }

    public function login(string $user): void
    {
        $this->onLive(fn (string $id) => $this->handler->login($id, $user));
    }

    public function logout(): void
    {
        if ($this->id !== null) {
            $this->handler->destroy($this->id);
            $this->isEnded = true;
        }
    }

    /** End every session of the user, this one too; return how many, null without a login. */
    public function logoutEverywhere(): ?int
    {
        $this->start();
        $user = $this->handler->user;
        if ($user === null) {
            return null;
        }
        session_abort(); // an ended session has nothing to save
        $ended = $this->handler->endUser($user);
        $this->isEnded = true;
        return $ended;
    }

    /** Run a verb on the visitor's session, or on a new one if the id is forged or long dead. */
    private function onLive(callable $verb): mixed
    {
        try {
            return $verb($this->id ?? $this->handler->create_sid());
        } catch (SessionGone $gone) {
            $this->wasUnknown = $this->id !== null;
            if ($gone->ended || $this->handler->wasLive) {
                throw $gone; // lately, or during this request: the visitor has a newer cookie or none
            }
            return $verb($this->handler->create_sid());
        }
    }

    private function cookieName(): string
    {
        return $this->cookieSecure ? "__Host-$this->cookie" : $this->cookie;
    }

    private function cookieAttributes(): array
    {
        return ['path' => '/', 'httponly' => true, 'samesite' => 'Lax', 'secure' => $this->cookieSecure];
    }
}
