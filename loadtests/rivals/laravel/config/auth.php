<?php
// As in the skeleton, but for the users, of whom there is no table: the handler asks who is logged in, by user_id.

return [
    'defaults' => ['guard' => 'web'],
    'guards' => ['web' => ['driver' => 'session', 'provider' => 'users']],
    'providers' => ['users' => ['driver' => 'database', 'table' => 'users']],
];
