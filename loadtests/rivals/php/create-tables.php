<?php
declare(strict_types=1);
if (getenv('PEER') && getenv('PEER') !== 'php-classic') {
    require __DIR__ . '/handler.php';
    handler()->createTable();
    exit;
}
require __DIR__ . '/sessions.php';
connect()->exec(
    'CREATE TABLE sessions (id VARCHAR(32) NOT NULL PRIMARY KEY, access INT UNSIGNED, data TEXT)'
);
