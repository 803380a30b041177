// openid-client, the certified client of most Node applications, judges the authorization server: every
// flow that it offers and we serve, as the library does it.
//
//   ATOMS_STACK=<stack.json> node tests/judges/openid-client.mjs

import assert from "node:assert/strict";
import * as client from "openid-client";
import { SCOPE, check, finish, issuer, mcp, person, refusal, registered, signInAtWorkos } from "./stack.mjs";
import { Visitor } from "./visitor.mjs";

// The stack is on this machine, without TLS; nothing else is asked of the library.
const LOCAL = { execute: [client.allowInsecureRequests], algorithm: "oauth2" };
const CALLBACK = "http://127.0.0.1:51789/callback";
const METADATA = { client_name: "A judge", redirect_uris: [CALLBACK], grant_types: ["authorization_code", "refresh_token"] };
const LIST = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });

const email = await person();

const discover = (id, authentication) => client.discovery(new URL(issuer), id, undefined, authentication, LOCAL);
const register = (metadata, authentication) => client.dynamicClientRegistration(new URL(issuer), { ...METADATA, ...metadata }, authentication, LOCAL);

/** Take a person through the sign-in; answers the tokens. */
async function signIn(config, { pushed = false, scope = SCOPE, decision, ...options } = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const parameters = {
    redirect_uri: CALLBACK,
    scope,
    resource: mcp,
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  const build = pushed ? client.buildAuthorizationUrlWithPAR : client.buildAuthorizationUrl;
  const link = await build(config, parameters, options);
  if (pushed) assert.deepEqual([...link.searchParams.keys()].sort(), ["client_id", "request_uri"]);
  const answer = await new Visitor({ email, decision }).visit(link, CALLBACK);
  const checks = { pkceCodeVerifier: verifier, expectedState: state };
  const tokens = await client.authorizationCodeGrant(config, answer, checks, { resource: mcp }, options);
  return { tokens, again: () => client.authorizationCodeGrant(config, answer, checks, { resource: mcp }, options) };
}

async function opensMcp(config, tokens, options) {
  const headers = new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" });
  const response = await client.fetchProtectedResource(config, tokens.access_token, new URL(mcp), "POST", LIST, headers, options);
  assert.equal(response.status, 200);
  assert.equal((await response.json()).result.tools[0].name, "workspace");
}

/** What a resource server is told of a token. */
async function introspect(token) {
  const { id, secret } = registered("atoms-api");
  const config = await discover(id, client.ClientSecretBasic(secret));
  return client.tokenIntrospection(config, token);
}

/** All of the life of a client's session. */
async function life(name, config, options) {
  let tokens;
  await check(`${name}: code with PKCE, after consent`, async () => {
    ({ tokens } = await signIn(config, options));
    assert.equal(tokens.token_type, options?.DPoP ? "dpop" : "bearer");
    assert.ok(tokens.expires_in > 0 && tokens.access_token && tokens.refresh_token);
  });
  if (!tokens) return;
  await check(`${name}: the access token opens the MCP endpoint`, () => opensMcp(config, tokens, options));
  await check(`${name}: refresh`, async () => {
    const next = await client.refreshTokenGrant(config, tokens.refresh_token, { resource: mcp }, options);
    assert.notEqual(next.refresh_token, tokens.refresh_token);
    await opensMcp(config, next, options);
    tokens = next;
  });
  await check(`${name}: refresh to fewer scopes`, async () => {
    const parameters = { scope: "atoms:workspace.read" };
    const next = await client.refreshTokenGrant(config, tokens.refresh_token, parameters, options);
    const { scope } = await introspect(next.access_token);
    assert.equal(scope, "atoms:workspace.read");
    tokens = next;
  });
  await check(`${name}: revocation ends all of it`, async () => {
    assert.equal((await introspect(tokens.access_token)).active, true);
    await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: "refresh_token" });
    assert.deepEqual(await introspect(tokens.access_token), { active: false });
    assert.deepEqual(await introspect(tokens.refresh_token), { active: false });
    const { error } = await refusal(client.refreshTokenGrant(config, tokens.refresh_token, {}, options));
    assert.equal(error, "invalid_grant");
  });
}

async function keys(algorithm) {
  const pair = await client.randomDPoPKeyPair(algorithm);
  const kid = crypto.randomUUID();
  const jwk = { ...(await crypto.subtle.exportKey("jwk", pair.publicKey)), kid, alg: algorithm, use: "sig" };
  return { key: { key: pair.privateKey, kid }, jwks: { keys: [jwk] } };
}

await check("discovery", async () => {
  const metadata = (await discover("atoms-cli")).serverMetadata();
  assert.equal(metadata.issuer, issuer);
  assert.ok(metadata.supportsPKCE("S256") && !metadata.supportsPKCE("plain"));
  assert.equal(metadata.authorization_response_iss_parameter_supported, true);
});

await life("a client of ours", await discover("atoms-cli", client.None()));

for (const [method, authentication] of [
  ["none", () => client.None()],
  ["client_secret_basic", () => client.ClientSecretBasic()],
  ["client_secret_post", () => client.ClientSecretPost()],
]) {
  const config = await check(`${method}: registration`, async () => {
    const config = await register({ token_endpoint_auth_method: method }, authentication());
    const metadata = config.clientMetadata();
    assert.equal(metadata.token_endpoint_auth_method, method);
    assert.equal(typeof metadata.client_secret, method === "none" ? "undefined" : "string");
    return config;
  });
  if (config) await life(method, config);
}

for (const algorithm of ["ES256", "Ed25519", "RS256"]) {
  const name = `private_key_jwt, ${algorithm}`;
  const { key, jwks } = await keys(algorithm);
  const config = await check(`${name}: registration`, () => register({ token_endpoint_auth_method: "private_key_jwt", jwks }, client.PrivateKeyJwt(key)));
  if (config) await life(name, config, { pushed: true });
}

for (const algorithm of ["ES256", "Ed25519"]) {
  const name = `DPoP, ${algorithm}`;
  const config = await check(`${name}: registration`, () => register({ token_endpoint_auth_method: "none", dpop_bound_access_tokens: true }, client.None()));
  if (!config) continue;
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(algorithm));
  await life(name, config, { DPoP });
  await life(`${name}, pushed`, config, { DPoP, pushed: true });
  await check(`${name}: what is bound to a key is good with that key alone`, async () => {
    const { tokens } = await signIn(config, { DPoP });
    const { token_type, cnf } = await introspect(tokens.access_token);
    assert.deepEqual({ token_type, cnf }, { token_type: "DPoP", cnf: { jkt: await DPoP.calculateThumbprint() } });
    const { status } = await refusal(client.fetchProtectedResource(config, tokens.access_token, new URL(mcp), "POST", LIST));
    assert.equal(status, 401);
    const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
    for (const options of [undefined, { DPoP: other }]) {
      const { error } = await refusal(client.refreshTokenGrant(config, tokens.refresh_token, {}, options));
      assert.match(error, /^invalid_(grant|dpop_proof)$/);
    }
    await client.refreshTokenGrant(config, tokens.refresh_token, {}, { DPoP });
  });
}

await check("a request is pushed, by a public client", async () => {
  await signIn(await discover("atoms-cli", client.None()), { pushed: true });
});

await check("a code that is used again ends what it gave", async () => {
  const { tokens, again } = await signIn(await discover("atoms-cli", client.None()));
  assert.equal((await introspect(tokens.access_token)).active, true);
  assert.equal((await refusal(again())).error, "invalid_grant");
  assert.deepEqual(await introspect(tokens.access_token), { active: false });
});

await check("a person who denies is sent back with access_denied", async () => {
  const config = await register({ token_endpoint_auth_method: "none" }, client.None());
  const { error } = await refusal(signIn(config, { decision: "deny" }));
  assert.equal(error, "access_denied");
});

await check("client credentials, by both ways to send a secret, and with a key", async () => {
  const { id, secret } = registered("atoms-service");
  for (const authentication of [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)]) {
    const config = await discover(id, authentication);
    const tokens = await client.clientCredentialsGrant(config, { scope: "atoms:workspace.read", resource: mcp });
    assert.equal(tokens.refresh_token, undefined);
    const { active, client_id } = await introspect(tokens.access_token);
    assert.deepEqual({ active, client_id }, { active: true, client_id: id });
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
    const bound = await client.clientCredentialsGrant(config, { resource: mcp }, { DPoP });
    assert.equal(bound.token_type, "dpop");
  }
});

await check("token exchange, of a token of AuthKit", async () => {
  const config = await discover("atoms-web", client.None());
  const tokens = await client.genericGrantRequest(config, "urn:ietf:params:oauth:grant-type:token-exchange", {
    subject_token: await signInAtWorkos(email),
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    resource: mcp,
  });
  assert.equal(tokens.issued_token_type, "urn:ietf:params:oauth:token-type:access_token");
  await opensMcp(config, tokens);
});

finish();
