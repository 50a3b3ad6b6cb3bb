<?php

return [
    'default' => 'mysql',
    'connections' => [
        'mysql' => [
            'driver' => 'mysql',
            'host' => env('DB_HOST', 'db'),
            'database' => env('DB_NAME'),
            'username' => env('DB_USER'),
            'password' => trim(file_get_contents(env('DB_PASSWORD_FILE'))),
            'charset' => 'utf8mb4',
            'collation' => 'utf8mb4_unicode_ci',
            'prefix' => '',
            'strict' => true,
        ],
    ],
];
