<?php
$config = [
    'people' => [
        'exampleauth:UserPass',
        'alice:alice-pw' => ['uid' => ['alice'], 'mail' => ['alice@example.com'],
            'givenName' => ['Alice'], 'sn' => ['Archer'], 'displayName' => ['Alice Archer'],
            'groups' => ['Engineers', 'Admins']],
        'bob:bob-pw' => ['uid' => ['bob'], 'mail' => ['bob@example.com'],
            'givenName' => ['Bob'], 'sn' => ['Baker'], 'displayName' => ['Bob Baker'],
            'groups' => ['Sales']],
        'zoe:zoe-pw' => ['uid' => ['zoe'], 'mail' => ['zoé@exämple.com'],
            'givenName' => ['Zoé'], 'sn' => ["O'Connor & <Søn>"], 'displayName' => ['Zoé 李'],
            'groups' => ['日本 Team']],
    ],
];
