<?php
declare(strict_types=1);
require __DIR__ . '/sessions.php';
connect()->exec(
    'CREATE TABLE sessions (id VARCHAR(32) NOT NULL PRIMARY KEY, access INT UNSIGNED, data TEXT)'
);
