'use strict';
// An identity provider around samlp: a password form, a session, and samlp.auth for the answer.
// The test says where by the environment: PEER_HOST, PEER_PORT, PEER_RUN (a folder with key, certificate and sp.json).
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const express = require('express');
const session = require('express-session');
const samlp = require('samlp');
const SessionParticipants = require('samlp/lib/sessionParticipants');

const { PEER_HOST: host, PEER_PORT: port, PEER_RUN: run } = process.env;
const issuer = `http://${host}:${port}/metadata`;
const cert = fs.readFileSync(path.join(run, 'idp.crt'), 'utf8');
const key = fs.readFileSync(path.join(run, 'idp.key'), 'utf8');
const EMAIL = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';

const people = {
  alice: { password: 'alice-pw', mail: 'alice@example.com', givenName: 'Alice', sn: 'Archer', displayName: 'Alice Archer', groups: ['Engineers', 'Admins'] },
  bob: { password: 'bob-pw', mail: 'bob@example.com', givenName: 'Bob', sn: 'Baker', displayName: 'Bob Baker', groups: ['Sales'] },
  zoe: { password: 'zoe-pw', mail: 'zoé@exämple.com', givenName: 'Zoé', sn: "O'Connor & <Søn>", displayName: 'Zoé 李', groups: ['日本 Team'] },
};

// The service providers are what the test registered; the file is read anew for each request.
const serviceProviders = () => JSON.parse(fs.readFileSync(path.join(run, 'sp.json'), 'utf8'));

function mapper(person) {
  return {
    metadata: [],
    getClaims: () => {
      const { password, ...claims } = person;
      return claims;
    },
    getNameIdentifier: () => ({ nameIdentifier: person.mail, nameIdentifierFormat: EMAIL }),
  };
}
mapper.prototype = { metadata: [] };

const toPem = (certData) => `-----BEGIN CERTIFICATE-----\n${certData.match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`;

const encryption = (certData) => {
  if (!certData) return {};
  const pem = toPem(certData);
  return {
    encryptionCert: pem,
    encryptionPublicKey: crypto.createPublicKey(pem).export({ type: 'spki', format: 'pem' }),
  };
};

const options = (req, entityId, sp) => ({
  issuer, cert, key,
  profileMapper: mapper,
  signAssertion: sp.sign !== 'response',
  signResponse: sp.sign !== 'assertion',
  lifetimeInSeconds: 300,
  authnContextClassRef: 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
  sessionIndex: req.session.index,
  recipient: sp.acs_url,
  destination: sp.acs_url,
  getUserFromRequest: () => people[req.session.user],
  getPostURL: (audience, _request, _req, done) => {
    // Only a service provider that the test registered, whatever the request asks.
    if (audience && audience !== entityId) return done(new Error(`unknown service provider ${audience}`));
    return done(null, sp.acs_url);
  },
  ...encryption(sp.encrypt_for),
});

// Who takes part in single logout with this person: the service providers that were answered and have a logout URL.
const BINDINGS = { redirect: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', post: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST' };

function remember(req, entityId, sp) {
  if (!sp.logout_url) return;
  const others = (req.session.participants || []).filter((one) => one.serviceProviderId !== entityId);
  req.session.participants = [...others, {
    serviceProviderId: entityId,
    nameId: people[req.session.user].mail,
    nameIdFormat: EMAIL,
    sessionIndex: req.session.index,
    serviceProviderLogoutURL: sp.logout_url,
    binding: BINDINGS[sp.logout_binding],
  }];
}

const html = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const page = (note) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<h1>samlp</h1><p role="alert">${html(note)}</p><form method="post" action="/login">
<label>User <input name="username" autofocus></label>
<label>Password <input name="password" type="password"></label><button>Sign in</button></form></html>`;

const app = express();
app.use(express.urlencoded({ extended: false }));
app.use(session({ secret: crypto.randomUUID(), resave: false, saveUninitialized: false }));

app.get('/metadata', samlp.metadata({
  issuer, cert, profileMapper: mapper,
  redirectEndpointPath: '/sso', postEndpointPath: '/sso',
}));

// A message is how it came (GET or POST) and its fields: an AuthnRequest, or `sp` and RelayState where the person starts here.
function answer(req, res, next, message) {
  const known = serviceProviders();
  const reply = (entityId) => {
    if (!known[entityId]) return next(new Error(`unknown service provider ${entityId}`));
    Object.defineProperty(req, 'query', { value: message.how === 'GET' ? message.fields : {} });
    req.body = message.how === 'POST' ? message.fields : {};
    req.method = message.how;
    const settings = options(req, entityId, known[entityId]);
    remember(req, entityId, known[entityId]);
    if (!message.fields.SAMLRequest) Object.assign(settings, { audience: entityId, RelayState: message.fields.RelayState });
    return samlp.auth(settings)(req, res, next);
  };
  if (!message.fields.SAMLRequest) return reply(message.fields.sp);
  const asked = { query: message.how === 'GET' ? message.fields : {}, body: message.how === 'POST' ? message.fields : {} };
  return samlp.parseRequest(asked, { issuer, cert }, (error, request) => {
    if (error) return next(error);
    const signedBy = known[request.issuer] && known[request.issuer].signed_by;
    if (!signedBy) return reply(request.issuer);
    // Who asks is known now: once more, with the certificate that has to have signed it.
    return samlp.parseRequest(asked, { issuer, cert, signingCert: toPem(signedBy) }, (wrong) => (wrong ? next(wrong) : reply(request.issuer)));
  });
}

function sso(req, res, next) {
  const message = { how: req.method, fields: { ...(req.method === 'GET' ? req.query : req.body) } };
  if (req.session.user) return answer(req, res, next, message);
  req.session.message = message;
  return res.send(page(''));
}
app.get('/sso', sso);
app.post('/sso', sso);

app.post('/login', (req, res, next) => {
  const { username, password } = req.body;
  if (!people[username] || people[username].password !== password) return res.status(401).send(page('Wrong user or password.'));
  if (!req.session.message) return res.status(400).send(page('Start at the application.'));
  req.session.user = username;
  req.session.index = '_' + crypto.randomBytes(16).toString('hex');
  return answer(req, res, next, req.session.message);
});

function logout(req, res, next) {
  req.body = req.body || {};
  req.session.participants = req.session.participants || [];
  const known = serviceProviders();
  for (const one of req.session.participants) one.cert = toPem(known[one.serviceProviderId].signed_by);
  return samlp.logout({
    issuer, cert, key,
    deflate: true,
    protocolBinding: BINDINGS.redirect,
    sessionParticipants: new SessionParticipants(req.session.participants),
    clearIdPSession: (done) => { delete req.session.user; done(); },
  })(req, res, next);
}
app.get('/logout', logout);
app.post('/logout', logout);
app.use((error, _req, res, _next) => res.status(400).type('text').send(`samlp: ${error.message}\n`));
app.listen(Number(port), host);
