<?php
// The service providers are what the test registered; the file is read anew for each request.
$bindings = ['redirect' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', 'post' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'];
foreach (json_decode(file_get_contents(getenv('PEER_RUN') . '/sp.json'), true) as $entity => $sp) {
    $metadata[$entity] = [
        'AssertionConsumerService' => $sp['acs_url'],
        'NameIDFormat' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
        'saml20.sign.response' => $sp['sign'] !== 'assertion',
        'saml20.sign.assertion' => $sp['sign'] !== 'response',
        'assertion.encryption' => $sp['encrypt_for'] !== null,
        'validate.authnrequest' => $sp['signed_by'] !== null,
        'certData' => $sp['encrypt_for'] ?? $sp['signed_by'],
    ];
    if ($sp['logout_url'] !== null) {
        $metadata[$entity]['SingleLogoutService'] = [['Binding' => $bindings[$sp['logout_binding']], 'Location' => $sp['logout_url']]];
        $metadata[$entity]['sign.logout'] = $metadata[$entity]['validate.logout'] = true;
    }
}
