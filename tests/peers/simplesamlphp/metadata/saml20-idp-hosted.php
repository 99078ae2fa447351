<?php
$email = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
$metadata[getenv('PEER_BASE_URL') . '/saml2/idp/metadata.php'] = [
    'host' => '__DEFAULT__',
    'privatekey' => 'idp.key', 'certificate' => 'idp.crt',
    'auth' => 'people',
    'logouttype' => getenv('PEER_LOGOUT'),
    'SingleSignOnServiceBinding' => ['urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
                                     'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'],
    'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic',
    'NameIDFormat' => [$email, 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
                       'urn:oasis:names:tc:SAML:2.0:nameid-format:transient'],
    'authproc' => [
        10 => ['class' => 'saml:AttributeNameID', 'attribute' => 'mail', 'Format' => $email],
        11 => ['class' => 'saml:PersistentNameID', 'attribute' => 'uid'],
        12 => ['class' => 'saml:TransientNameID'],
    ],
];
