<?php
// Symfony's PdoSessionHandler with the locks that PEER names; without a setting they are transactional.

declare(strict_types=1);
require 'Symfony/Component/HttpFoundation/autoload.php';

use Symfony\Component\HttpFoundation\Session\Storage\Handler\PdoSessionHandler;

function handler(): PdoSessionHandler
{
    $locks = match (getenv('PEER')) {
        'symfony-pdo' => [],
        'symfony-pdo-no-lock' => ['lock_mode' => PdoSessionHandler::LOCK_NONE],
        'symfony-pdo-advisory-lock' => ['lock_mode' => PdoSessionHandler::LOCK_ADVISORY],
    };
    return new PdoSessionHandler(
        sprintf('mysql:host=%s;dbname=%s', getenv('DB_HOST') ?: 'db', getenv('DB_NAME')),
        [
            'db_username' => getenv('DB_USER'),
            'db_password' => trim(file_get_contents(getenv('DB_PASSWORD_FILE'))),
            ...$locks,
        ],
    );
}
