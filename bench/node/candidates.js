// The libraries for Node.js that bench/saml.py compares with. It is started once and asked line by line, in JSON:
//
//   {"prepare": {issuer, audience, acsUrl, request, certificate, metadata, signed, privateKey}}   ->  {"ready": [names]}
//   {"run": name, "response": base64, "times": n}            ->  {"nanoseconds": of one run} or {"refused": why}
//
// The time is taken here, around each call; what a deployment prepares once is prepared before. Each library checks what
// it can: signatures, issuer, audience, times, the request that is answered. What it leaves to its caller is done here.
"use strict";

const readline = require("node:readline");

const { SAML } = require("@node-saml/node-saml");
const samlify = require("samlify");
const saml20 = require("@boxyhq/saml20").default;

const POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

// samlify runs only with a validator of XML schemas, which others provide. This one costs nothing.
samlify.setSchemaValidator({ validate: async () => "not validated" });

function nodeSaml(given) {
  const saml = new SAML({
    callbackUrl: given.acsUrl,
    entryPoint: given.issuer,
    issuer: given.audience,
    audience: given.audience,
    idpIssuer: given.issuer,
    idpCert: given.certificate,
    wantAssertionsSigned: given.signed.includes("assertion"),
    wantAuthnResponseSigned: given.signed.includes("response"),
    decryptionPvk: given.privateKey ?? undefined,
    validateInResponseTo: "always",
    // Every response answers the same request, which therefore waits for ever.
    cacheProvider: {
      saveAsync: async () => null,
      getAsync: async (request) => (request === given.request ? new Date().toISOString() : null),
      removeAsync: async (request) => request,
    },
  });
  return async (response) => (await saml.validatePostResponseAsync({ SAMLResponse: response })).profile.nameID;
}

function samlifyPost(given) {
  const provider = samlify.IdentityProvider({
    metadata: given.metadata,
    isAssertionEncrypted: given.privateKey !== null,
  });
  const us = samlify.ServiceProvider({
    entityID: given.audience,
    assertionConsumerService: [{ Binding: POST, Location: given.acsUrl }],
    wantMessageSigned: given.signed.includes("response"),
    wantAssertionsSigned: given.signed.includes("assertion"),
    encPrivateKey: given.privateKey ?? undefined,
  });
  return async (response) => {
    const { extract } = await us.parseLoginResponse(provider, "post", { body: { SAMLResponse: response } });
    if (extract.audience !== given.audience) throw new Error("audience");
    if (extract.response.inResponseTo !== given.request) throw new Error("InResponseTo");
    return extract.nameID;
  };
}

function boxyhq(given) {
  const options = {
    publicKey: given.certificate,
    audience: given.audience,
    inResponseTo: given.request,
    privateKey: given.privateKey ?? undefined,
  };
  return async (response) => {
    const profile = await saml20.validate(Buffer.from(response, "base64").toString(), options);
    if (profile.issuer !== given.issuer) throw new Error("issuer");
    return profile.claims["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"];
  };
}

const LIBRARIES = { "node-saml": nodeSaml, samlify: samlifyPost, saml20: boxyhq };
let candidates = {};

async function answer(asked) {
  if (asked.prepare) {
    candidates = Object.fromEntries(Object.entries(LIBRARIES).map(([name, make]) => [name, make(asked.prepare)]));
    return { ready: Object.keys(candidates) };
  }
  const run = candidates[asked.run];
  const started = process.hrtime.bigint();
  try {
    for (let time = 0; time < asked.times; time++) {
      if ((await run(asked.response)) !== asked.subject) throw new Error("another subject");
    }
  } catch (error) {
    return { refused: String(error) };
  }
  return { nanoseconds: Number(process.hrtime.bigint() - started) / asked.times };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
  }
}

main();
