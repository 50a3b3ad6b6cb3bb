<?php
// The six functions of the PHP tutorials: the class that they pass to session_set_save_handler(),
// on `sessions (id, access, data)`. ../classic.py is the same in Python, and says what PHP does around it.
// Only the connection differs: it is kept, as PDO does when it is asked to. And a failure is an error, because PDO
// throws since PHP 8.0; the functions of the time before went on with an empty session.

declare(strict_types=1);

function connect(): PDO
{
    return new PDO(
        sprintf('mysql:host=%s;dbname=%s', getenv('DB_HOST') ?: 'db', getenv('DB_NAME')),
        getenv('DB_USER'),
        trim(file_get_contents(getenv('DB_PASSWORD_FILE'))),
        [PDO::ATTR_PERSISTENT => true],
    );
}

final class Sessions implements SessionHandlerInterface
{
    private PDO $db;

    public function open(string $path, string $name): bool
    {
        $this->db = connect();
        return true;
    }

    public function close(): bool
    {
        return true;
    }

    public function read(string $id): string
    {
        $rows = $this->run('SELECT data FROM sessions WHERE id = ?', [$id])->fetchAll(PDO::FETCH_COLUMN);
        return $rows[0] ?? '';
    }

    public function write(string $id, string $data): bool
    {
        $this->run('REPLACE INTO sessions VALUES (?, ?, ?)', [$id, time(), $data]);
        return true;
    }

    public function destroy(string $id): bool
    {
        $this->run('DELETE FROM sessions WHERE id = ?', [$id]);
        return true;
    }

    public function gc(int $max_lifetime_s): int
    {
        return $this->run('DELETE FROM sessions WHERE access < ?', [time() - $max_lifetime_s])->rowCount();
    }

    private function run(string $sql, array $values): PDOStatement
    {
        $statement = $this->db->prepare($sql);
        $statement->execute($values);
        return $statement;
    }
}
