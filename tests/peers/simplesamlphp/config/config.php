<?php
// SimpleSAMLphp as an identity provider under PHP's own web server. The test says where by the environment:
// PEER_BASE_URL (ends in /simplesaml), PEER_RUN (a folder of its own, with key, certificate and sp.json).
$run = getenv('PEER_RUN');
$config = [
    'baseurlpath' => getenv('PEER_BASE_URL') . '/',
    'certdir' => "$run/", 'loggingdir' => "$run/", 'datadir' => "$run/", 'tempdir' => $run,
    'metadatadir' => __DIR__ . '/../metadata',
    'metadata.sources' => [['type' => 'flatfile']],
    'secretsalt' => hash('sha256', $run),
    'auth.adminpassword' => hash('sha256', $run . 'admin'),
    'technicalcontact_email' => 'na@example.org',
    'timezone' => 'UTC',
    'logging.handler' => 'file', 'logging.logfile' => 'ssp.log', 'logging.level' => 6,
    'enable.saml20-idp' => true,
    'module.enable' => ['exampleauth' => true, 'saml' => true, 'core' => true],
    'store.type' => 'phpsession',
    'session.cookie.secure' => false,
    'session.phpsession.cookiename' => 'SspTestIdp', 'session.phpsession.savepath' => $run,
];
