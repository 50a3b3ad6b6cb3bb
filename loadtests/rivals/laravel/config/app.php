<?php

return [
    'env' => 'production',
    'debug' => false,
    'timezone' => 'UTC',
    // The same on every server; a constant, as nothing here is worth forging.
    'key' => 'only for the comparison, 32 char',
    'cipher' => 'AES-256-CBC',
    'providers' => [
        Illuminate\Auth\AuthServiceProvider::class,
        Illuminate\Cookie\CookieServiceProvider::class,
        Illuminate\Database\DatabaseServiceProvider::class,
        Illuminate\Encryption\EncryptionServiceProvider::class,
        Illuminate\Filesystem\FilesystemServiceProvider::class,
        Illuminate\Hashing\HashServiceProvider::class,
        Illuminate\Session\SessionServiceProvider::class,
        Routes::class,
    ],
];
