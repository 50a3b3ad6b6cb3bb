<?php

declare(strict_types=1);

namespace Hopproof;

use PDO;
use PDOException;

/**
 * Sessions in the table that all servers share, for session_set_save_handler($handler, true).
 *
 * The class of the tutorials with the SQL of webapp/hopproof/mysql/. PHP hands over the whole session; this class
 * writes only the difference to what was read, key by key, in one UPDATE. All times are on the database's clock.
 * It knows no cookie and no request, so it can be lifted into another application; Json.php comes with it.
 *
 * Every verb may throw SessionStoreUnavailable: a failure is never an empty session.
 */
final class SessionHandler implements
    \SessionHandlerInterface,
    \SessionIdInterface,
    \SessionUpdateTimestampHandlerInterface
{
    // 32 bytes in base64url without padding: 43 characters, of which the last carries four bits only.
    public const ID = '/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/D';

    private const LIVE = 'data IS NOT NULL AND expires_at > UNIX_TIMESTAMP()';
    // Never backwards, and never beyond the absolute timeout.
    private const TOUCHED = 'LEAST(GREATEST(expires_at, UNIX_TIMESTAMP() + IF(`user` IS NULL, :anonymous_idle_s, :idle_s)),
        absolute_at)';
    private const STARTS_ANEW = 'UNIX_TIMESTAMP(), UNIX_TIMESTAMP() + LEAST(IF(:user IS NULL, :anonymous_idle_s, :idle_s),
        :absolute_s), UNIX_TIMESTAMP() + :absolute_s';
    // Invariants of a live row, see docs/row-contract.md. A row that breaks one is neither read nor changed.
    private const INTACT = "JSON_VALID(data) AND JSON_TYPE(data) = 'OBJECT' AND version BETWEEN 1 AND 4294967294
        AND created_at <= expires_at AND expires_at <= absolute_at";
    private const READ = 'SELECT data, `user`, ' . self::TOUCHED . ' - expires_at, ' . self::INTACT . '
        FROM sessions WHERE id = UNHEX(:key) AND expires_at > UNIX_TIMESTAMP()';
    // A plain INSERT, never an upsert: an upsert would revive what a logout has just ended.
    private const CREATE = 'INSERT INTO sessions (id, data, version, `user`, created_at, expires_at, absolute_at)
        VALUES (UNHEX(:key), :data, 1, :user, ' . self::STARTS_ANEW . ')';
    private const TOUCH = 'UPDATE sessions SET expires_at = ' . self::TOUCHED . ' WHERE id = UNHEX(:key) AND ' . self::LIVE;
    // The version is assigned before the data, so a count still sees the old data.
    private const CHANGE = 'UPDATE sessions SET version = %s, data = %s, expires_at = ' . self::TOUCHED . '
        WHERE id = UNHEX(:key) AND %s';
    // One statement: the row twice, once under the new id, and once under the old, where it becomes the tombstone.
    // Why in this way: ROTATE in webapp/hopproof/mysql/changing.py. The data of another user are left behind.
    private const ROTATE = 'INSERT INTO sessions (id, version, data, `user`, created_at, expires_at, absolute_at)
        SELECT IF(copy.is_new, UNHEX(:new_key), id), version + 1,
          IF(`user` IS NULL OR `user` = :user, data, JSON_OBJECT()), :user, ' . self::STARTS_ANEW . '
        FROM sessions AS old JOIN (SELECT TRUE AS is_new UNION ALL SELECT FALSE) AS copy
        WHERE id = UNHEX(:key) AND ' . self::LIVE . ' AND ' . self::INTACT . ' FOR UPDATE
        ON DUPLICATE KEY UPDATE sessions.id = UNHEX(:key), sessions.data = NULL, sessions.`user` = NULL,
          sessions.expires_at = UNIX_TIMESTAMP() + :tombstone_s';
    private const MAX_BYTES = 'IF(`user` IS NULL, :anonymous_max_bytes, :max_bytes)';
    private const REASON = 'SELECT data IS NULL, `user` IS NULL%s FROM sessions WHERE id = UNHEX(:key) AND expires_at > UNIX_TIMESTAMP()';
    private const END = 'UPDATE sessions SET data = NULL, `user` = NULL, expires_at = UNIX_TIMESTAMP() + :tombstone_s WHERE ';
    private const END_BATCH = 400;
    private const END_SOME = self::END . '`user` = :user AND ' . self::LIVE . ' LIMIT ' . self::END_BATCH;
    private const OLDEST = 'SELECT HEX(id) FROM (SELECT id, created_at FROM sessions WHERE `user` = :user AND ' . self::LIVE . '
        AND id <> UNHEX(:key) LIMIT :some) AS some ORDER BY created_at DESC LIMIT ' . self::END_BATCH . ' OFFSET :others';
    // Checked by its text: MySQL's JSON_TYPE has another name for integers from 2^32 on, MariaDB's takes 1e16 for one.
    private const IS_INTEGER = "CAST(%s AS CHAR) REGEXP '^-{0,1}[0-9]{1,16}$'";

    private const DUPLICATE = 1062;
    // Deadlock and lock wait: the server has undone the statement and says so, so repeating it is safe.
    private const UNDONE = [1213, 1205];
    private const MAX_REPEATS = 2;
    // The share of the time budget that must be left when a statement begins: it may wait for a lock, or for its answer.
    private const SHARE_LEFT = 0.4;
    // Not the primary any more, or leaving: another connection may lead to the server that took over.
    private const LEADS_ELSEWHERE = [1053, 1290, 1792, 1836, 1927, 3032, 3100, 6400];

    // Set at connect, because a server's globals may be anything. Why each: SESSION_SETTINGS in webapp/hopproof/mysql/database.py.
    private const SET_SESSION = "SET SESSION autocommit = 1, innodb_lock_wait_timeout = 1, lock_wait_timeout = 1,
        sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00', sql_select_limit = 18446744073709551615,
        sql_safe_updates = 0, sql_big_selects = 1";
    private const SET_TRANSACTION = 'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE';

    /** The user who is logged in; known after read. */
    public private(set) ?string $user = null;
    /** Whether read has found a live session. */
    public private(set) bool $wasLive = false;
    /** The id of a session that this request has created: the answer has to carry it in a cookie. */
    public private(set) ?string $created = null;

    private ?PDO $connection = null;
    private float $endsAt = 0;
    /** An id that was made here and is not in the table yet. */
    private ?string $made = null;
    /** The row that validateId has found, so that read need not ask again. */
    private array $found = [];
    /** The data as they were read. */
    private array $before = [];
    private int $touchGainsS = 0;

    /** @param \Closure(): PDO $connect called on first use; see connect() for the attributes that the connection needs. */
    public function __construct(
        private readonly \Closure $connect,
        private readonly int $idleS = 1800,
        private readonly int $absoluteS = 43200,
        private readonly int $touchS = 60,
        private readonly int $tombstoneS = 60,
        private readonly int $maxBytes = 65536,
        private readonly float $deadlineS = 2.5,
        private readonly ?int $anonymousIdleS = null, // of a session without a user; null: as with one
        private readonly ?int $anonymousMaxBytes = null,
        private readonly int $sessionsPerUser = 100, // 0: any number
    ) {
    }

    /**
     * Return a connection that counts matched rows, not changed ones: a touch within the same second changes nothing.
     * $ca: a file of authorities in PEM; the database's certificate has to be valid for $host. Without one: no TLS.
     */
    public static function connect(
        string $host, int $port, string $database, string $user, string $password, int $timeoutS, string $ca = '',
    ): PDO {
        // How long an answer may take, in whole seconds. PDO itself has a limit for connecting only.
        ini_set('mysqlnd.net_read_timeout', (string) $timeoutS);
        $connection = new PDO("mysql:host=$host;port=$port;dbname=$database;charset=utf8mb4", $user, $password, [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_TIMEOUT => $timeoutS,
            // The driver fills in the values: one trip instead of two, and a name may occur twice.
            PDO::ATTR_EMULATE_PREPARES => true,
            PDO::ATTR_STRINGIFY_FETCHES => false,
            \Pdo\Mysql::ATTR_FOUND_ROWS => true,
            \Pdo\Mysql::ATTR_INIT_COMMAND => self::SET_SESSION,
        ] + ($ca === '' ? [] : [\Pdo\Mysql::ATTR_SSL_CA => $ca, \Pdo\Mysql::ATTR_SSL_VERIFY_SERVER_CERT => true]));
        $connection->exec(self::SET_TRANSACTION);
        return $connection;
    }

    // Called by PHP, in this order

    public function open(string $path, string $name): bool
    {
        return true; // connected on first use: an untouched session costs nothing
    }

    /** Return whether the table knows the id. PHP drops an unknown id, and asks for a new one. */
    public function validateId(string $id): bool
    {
        if (!preg_match(self::ID, $id)) {
            return false;
        }
        $rows = $this->ask(self::READ, ['key' => self::key($id)])->fetchAll(PDO::FETCH_NUM);
        $this->found = [$id => $rows[0] ?? null];
        // True for a tombstone, too. It reads as empty, and write refuses it. The cookie stays as it is,
        // because another tab may have just got a newer one.
        return $rows !== [];
    }

    public function create_sid(): string
    {
        return $this->made = rtrim(strtr(base64_encode(random_bytes(32)), '+/', '-_'), '=');
    }

    public function read(string $id): string
    {
        if ($id === $this->made) {
            $row = null;
        } else {
            isset($this->found[$id]) || $this->validateId($id);
            $row = $this->found[$id];
        }
        $this->found = [];
        [$data, $this->user, $this->touchGainsS, $is_intact] = $row ?? [null, null, 0, null];
        $is_name = $this->user === null || $this->user !== '' && preg_match('//u', $this->user) === 1;
        if ($data !== null && !($is_intact && $is_name)) {
            throw new SessionBroken(self::key($id));
        }
        $this->wasLive = $data !== null;
        $this->before = $data === null ? [] : Json::members($data);
        return serialize($this->before);
    }

    /**
     * Write the difference to the data that were read. Throws SessionGone or SessionRefused when nothing was changed.
     *
     * @param string $data as session.serialize_handler=php_serialize makes it
     */
    public function write(string $id, string $data): bool
    {
        $after = unserialize($data, ['allowed_classes' => [\stdClass::class]]);
        $set = [];
        foreach ($after as $key => $value) {
            $text = Json::encode($value, (string) $key);
            $is_kept = array_key_exists($key, $this->before) && Json::encode($this->before[$key], (string) $key) === $text;
            if (!$is_kept) {
                $set[$key] = $text;
            }
        }
        $gone = array_keys(array_diff_key($this->before, $after));
        if ($set === [] && $gone === []) {
            return $this->updateTimestamp($id, $data);
        }
        if ($id === $this->made) {
            $this->insert($id, $set, null);
        } else {
            $this->change($id, ...$this->difference($set, $gone));
        }
        $this->before = $after;
        return true;
    }

    /** Extend the expiry, when that is due. PHP calls this instead of write when nothing was changed. */
    public function updateTimestamp(string $id, string $data): bool
    {
        if ($id !== $this->made && $this->touchGainsS > $this->touchS) {
            try {
                $this->ask(self::TOUCH, ['key' => self::key($id)]);
            } catch (SessionStoreUnavailable $error) {
                // The visitor's answer is right as it is, and the next request touches again.
                error_log("a session's expiry was not extended: {$error->getMessage()}");
            }
        }
        return true;
    }

    /** End the session; its id never works again. */
    public function destroy(string $id): bool
    {
        if ($id !== $this->made) {
            $this->ask(self::END . 'id = UNHEX(:key) AND ' . self::LIVE, ['key' => self::key($id)]);
        }
        return true;
    }

    public function gc(int $max_lifetime): int
    {
        return 0; // the janitor's, outside any request: webapp/janitor.py
    }

    public function close(): bool
    {
        return true;
    }

    // Verbs that PHP lacks. Each is one statement, needs no reading before, and is done when it returns.

    /** Add n to the integer under key, 0 if there is none, and return the sum. Atomic. */
    public function add(string $id, string $key, int $n = 1): int
    {
        $name = self::name($key);
        if ($id === $this->made) {
            $this->insert($id, [$key => Json::encode($n, $key)], null);
            return $n;
        }
        $old = 'JSON_EXTRACT(data, :path)';
        $count = "COALESCE(CAST($old AS SIGNED), 0) + :n";
        return $this->change(
            $id,
            "JSON_SET(data, :path, $count)",
            ['wrong-type' => "($old IS NULL OR " . sprintf(self::IS_INTEGER, $old) . ") AND ABS($count) <= " . Json::MAX_INTEGER],
            ['path' => "$.$name", 'n' => $n, 'grows_by' => strlen($name) + 16],
            $count,
            $key,
        );
    }

    /** Append to the list under key, empty if there is none, and return its length. Atomic. */
    public function append(string $id, string $key, mixed $value): int
    {
        $name = self::name($key);
        $item = substr(Json::encode([$value], $key), 1, -1); // in a list, which is one more level of depth
        if ($id === $this->made) {
            $this->insert($id, [$key => "[$item]"], null);
            return 1;
        }
        $items = 'COALESCE(JSON_EXTRACT(data, :path), JSON_ARRAY())';
        return $this->change(
            $id,
            "JSON_SET(data, :path, JSON_ARRAY_APPEND($items, '$', JSON_EXTRACT(:item, '$')))",
            ['wrong-type' => "JSON_TYPE($items) = 'ARRAY'"],
            ['path' => "$.$name", 'item' => $item, 'grows_by' => strlen($name) + strlen($item)],
            "JSON_LENGTH($items) + 1",
            $key,
        );
    }

    /**
     * Make the session the user's, under a new id, which it returns; the old id is ended.
     *
     * The data stay, unless they are those of another user: then the session begins empty.
     */
    public function login(string $id, string $user): string
    {
        $is_new = $id === $this->made;
        $new = $this->create_sid();
        if ($is_new) {
            $this->insert($new, [], $user);
        } else {
            $values = ['key' => self::key($id), 'new_key' => self::key($new), 'user' => $user];
            if ($this->ask(self::ROTATE, $values)->rowCount() === 0) {
                throw $this->reason($id, ['broken' => self::INTACT], []) ?? new SessionStoreUnavailable('a login matched no row');
            }
            $this->inserted($new);
        }
        $this->user = $user;
        if ($this->sessionsPerUser > 0) {
            try {
                $this->endOldest($user, $new);
            } catch (SessionStoreUnavailable $error) {
                // The login is done and has to reach the visitor; the next one ends what this one left.
                error_log("a user's oldest sessions were not ended: {$error->getMessage()}");
            }
        }
        return $new;
    }

    /**
     * End every live session of the user and return how many there were.
     *
     * Many statements for many sessions: each locks few rows. With SessionStoreUnavailable some may be ended, and
     * another call ends the others.
     */
    public function endUser(string $user): int
    {
        $ended = 0;
        do {
            $batch = $this->ask(self::END_SOME, ['user' => $user])->rowCount();
            $ended += $batch;
        } while ($batch === self::END_BATCH);
        return $ended;
    }

    // How it is done

    /** End the user's sessions beyond the newest and this one. */
    private function endOldest(string $user, string $id): void
    {
        $others = $this->sessionsPerUser - 1;
        $values = ['user' => $user, 'key' => self::key($id), 'others' => $others, 'some' => $others + self::END_BATCH];
        $keys = $this->ask(self::OLDEST, $values)->fetchAll(PDO::FETCH_COLUMN);
        if ($keys !== []) {
            sort($keys);
            $these = implode(', ', array_map(fn ($key) => "UNHEX('$key')", $keys));
            $this->ask(self::END . "id IN ($these) AND `user` = :user AND " . self::LIVE, ['user' => $user]);
        }
    }

    /** Return the only form of an id that is stored or logged. It is useless as a cookie. */
    public static function key(string $id): string
    {
        return hash('sha256', $id);
    }

    /** Return the one spelling of a key: MariaDB compares names as spelled, and reads none that begins with a minus. */
    private static function name(string $key): string
    {
        $text = Json::encode($key, $key);
        return str_starts_with($key, '-') ? '"\u002d' . substr($text, 2) : $text;
    }

    /** @param array<string> $texts the data as a JSON text per key */
    private function insert(string $id, array $texts, ?string $user): void
    {
        $members = array_map(fn ($key) => self::name((string) $key) . ':' . $texts[$key], array_keys($texts));
        $data = '{' . implode(',', $members) . '}';
        if (strlen($data) > $this->mostBytes($user === null)) {
            throw $this->tooLarge($user === null);
        }
        $this->ask(self::CREATE, ['key' => self::key($id), 'data' => $data, 'user' => $user]);
        $this->inserted($id);
    }

    private function inserted(string $id): void
    {
        $this->made = null;
        $this->created = $id;
    }

    /** Return SQL for the new data, the conditions, and the values for both. */
    private function difference(array $set, array $gone): array
    {
        [$data, $conditions, $values, $grows_by, $replaced] = ['data', [], [], 0, ''];
        foreach (array_keys($set) as $number => $key) {
            $name = self::name((string) $key);
            $values += ["path$number" => "$.$name", "value$number" => $set[$key]];
            $data = "JSON_SET($data, :path$number, JSON_EXTRACT(:value$number, '$'))";
            // The size of a replaced value is subtracted.
            $replaced .= " - COALESCE(OCTET_LENGTH(JSON_EXTRACT(data, :path$number)), 0)";
            $grows_by += strlen($name) + strlen($set[$key]);
        }
        foreach ($gone as $number => $key) {
            $values["gone$number"] = '$.' . self::name((string) $key);
            $data = "JSON_REMOVE($data, :gone$number)";
        }
        // Removing must always be possible, also from a session that a smaller limit caught too large.
        return [$data, [], $values + ($set ? ['grows_by' => $grows_by] : []), null, null, $replaced];
    }

    /**
     * Make one change in one statement; return what $count yields, 0 without one.
     *
     * @param array<string, string> $conditions reason of a refusal => SQL
     */
    private function change(
        string $id,
        string $data,
        array $conditions,
        array $values,
        ?string $count = null,
        ?string $key = null,
        string $replaced = '',
    ): int {
        $conditions = ['broken' => self::INTACT] + $conditions;
        if (isset($values['grows_by'])) {
            $conditions['too-large'] = "OCTET_LENGTH(data) + :grows_by$replaced <= " . self::MAX_BYTES;
        }
        // LAST_INSERT_ID(n) makes n come back with the acknowledgement, which saves reading it. It is unsigned.
        $shift = Json::MAX_INTEGER;
        $version = $count === null ? 'version + 1' : "version + 1 + 0 * LAST_INSERT_ID($count + $shift)";
        $where = implode(' AND ', [self::LIVE, ...array_values($conditions)]);
        $values['key'] = self::key($id);
        // Twice, because a row that shows no reason for not matching has changed in between.
        for ($attempt = 0; $attempt < 2; $attempt++) {
            if ($this->ask(sprintf(self::CHANGE, $version, $data, $where), $values)->rowCount() > 0) {
                return $count === null ? 0 : (int) $this->connection->lastInsertId() - $shift;
            }
            $reason = $this->reason($id, $conditions, $values, $key);
            if ($reason !== null) {
                throw $reason;
            }
        }
        throw new SessionStoreUnavailable('a change matched no row, twice, although every condition holds');
    }

    /** Return why no row matched, by asking the row which condition fails; null if none does. */
    private function reason(string $id, array $conditions, array $values, ?string $key = null): ?SessionError
    {
        $verdicts = implode('', array_map(fn ($condition) => ", $condition", $conditions));
        $row = $this->ask(sprintf(self::REASON, $verdicts), ['key' => self::key($id)] + $values)->fetch(PDO::FETCH_NUM);
        if (!$row || $row[0]) {
            return new SessionGone(ended: (bool) $row);
        }
        foreach (array_keys($conditions) as $number => $reason) {
            if (!$row[$number + 2]) {
                return match ($reason) {
                    'broken' => new SessionBroken(self::key($id)),
                    'too-large' => $this->tooLarge(isAnonymous: (bool) $row[1]),
                    'wrong-type' => new SessionRefused($reason, "the value of $key is of another kind", $key),
                };
            }
        }
        return null;
    }

    private function tooLarge(bool $isAnonymous): SessionRefused
    {
        return new SessionRefused('too-large', "the session would exceed {$this->mostBytes($isAnonymous)} bytes");
    }

    private function mostBytes(bool $isAnonymous): int
    {
        return $isAnonymous ? $this->anonymousMaxBytes ?? $this->maxBytes : $this->maxBytes;
    }

    /** Run one statement with those of the values that it names. */
    private function ask(string $sql, array $values): \PDOStatement
    {
        $values += ['idle_s' => $this->idleS, 'absolute_s' => $this->absoluteS, 'tombstone_s' => $this->tombstoneS,
            'max_bytes' => $this->maxBytes, 'anonymous_idle_s' => $this->anonymousIdleS ?? $this->idleS,
            'anonymous_max_bytes' => $this->mostBytes(true)];
        for ($repeats = 0; ; $repeats++) {
            try {
                return $this->run($sql, $values);
            } catch (PDOException $error) {
                $code = $error->errorInfo[1] ?? $error->getCode();
                if (in_array($code, self::LEADS_ELSEWHERE, true)) {
                    $this->connection = null;
                }
                if ($code === self::DUPLICATE) {
                    throw new SessionStoreUnavailable('the new id is taken', previous: $error);
                }
                if (!in_array($code, self::UNDONE, true) || $repeats === self::MAX_REPEATS) {
                    throw new SessionStoreUnavailable("the session table did not answer: {$error->getMessage()}", previous: $error);
                }
            }
        }
    }

    private function run(string $sql, array $values): \PDOStatement
    {
        $this->endsAt = $this->endsAt ?: microtime(true) + $this->deadlineS;
        $this->connection ??= ($this->connect)();
        if (microtime(true) + self::SHARE_LEFT * $this->deadlineS > $this->endsAt) {
            throw new SessionStoreUnavailable("the $this->deadlineS s that a request may wait are used up");
        }
        $statement = $this->connection->prepare($sql);
        foreach ($values as $name => $value) {
            // A number in quotes would make SQL reckon in floating point.
            if (preg_match("/:$name\b/", $sql)) {
                $statement->bindValue($name, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
            }
        }
        $statement->execute();
        return $statement;
    }
}

/** A verb could not do what it says. The subclasses say why. */
abstract class SessionError extends \RuntimeException
{
}

/** The table did not answer in time. A write may or may not have happened. */
final class SessionStoreUnavailable extends SessionError
{
}

/** No live session has this id, so nothing was changed. ended: it was ended within the tombstone time. */
final class SessionGone extends SessionError
{
    public function __construct(public readonly bool $ended)
    {
        parent::__construct($ended ? 'the session was ended' : 'no live session has this id');
    }
}

/** The row under the key breaks the row contract, so nothing was changed. destroy still ends it. */
final class SessionBroken extends SessionError
{
    public function __construct(string $key)
    {
        parent::__construct("the row of session $key breaks the row contract");
    }
}

/** The change cannot be stored as it is, so nothing was changed. kind: not-i-json, too-large or wrong-type. */
final class SessionRefused extends SessionError
{
    public function __construct(
        public readonly string $kind,
        string $message,
        public readonly ?string $key = null,
        ?\Throwable $previous = null,
    ) {
        parent::__construct($message, previous: $previous);
    }
}
