// oauth4webapi, which checks every answer by the letter of its RFC, judges the authorization server as a
// client and as a resource server that verifies our tokens by itself.
//
//   ATOMS_STACK=<stack.json> node tests/judges/oauth4webapi.mjs

import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { SCOPE, check, finish, issuer, mcp, person, refusal, registered } from "./stack.mjs";
import { Visitor } from "./visitor.mjs";

// The stack is on this machine, without TLS.
const LOCAL = { [oauth.allowInsecureRequests]: true };
const CALLBACK = "http://127.0.0.1:51790/callback";
const RESOURCE = { additionalParameters: { resource: mcp } };
const LIST = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });

const email = await person();
const { id: api, secret } = registered("atoms-api");
const watching = oauth.ClientSecretBasic(secret);

/** The request of a client, for a person; answers what the client needs to go on. */
async function ask(as, client, { authentication, DPoP, wrong = {} } = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const parameters = {
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: CALLBACK,
    scope: SCOPE,
    resource: mcp,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...wrong,
  };
  let query = parameters;
  if (authentication) {
    const { request_uri } = await twice(async () => {
      const pushed = await oauth.pushedAuthorizationRequest(as, client, authentication, parameters, { ...LOCAL, DPoP });
      return oauth.processPushedAuthorizationResponse(as, client, pushed);
    });
    query = { client_id: client.client_id, request_uri };
  }
  const link = new URL(as.authorization_endpoint);
  link.search = new URLSearchParams(query);
  const answer = await new Visitor({ email }).visit(link, CALLBACK);
  return { verifier, answer: oauth.validateAuthResponse(as, client, answer, state) };
}

/** Once more, if a nonce is asked for: what this library leaves to its user. */
async function twice(attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return attempt();
  }
}

function redeem(as, client, authentication, { answer, verifier }, options) {
  return twice(async () => {
    const request = { ...LOCAL, ...RESOURCE, ...options };
    const response = await oauth.authorizationCodeGrantRequest(as, client, authentication, answer, CALLBACK, verifier, request);
    assert.equal(response.headers.get("cache-control"), "no-store");
    return oauth.processAuthorizationCodeResponse(as, client, response);
  });
}

/** Ask the MCP endpoint; answers its answer, and the request as the endpoint has seen it. */
async function call(token, options) {
  let seen;
  const watched = (url, request) => {
    seen = new Request(url, { method: request.method, headers: request.headers });
    return fetch(url, request);
  };
  const headers = new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" });
  const request = { ...LOCAL, ...options, [oauth.customFetch]: watched };
  const response = await twice(() => oauth.protectedResourceRequest(token, "POST", new URL(mcp), headers, LIST, request));
  return { response, seen };
}

async function introspect(as, token, options) {
  const response = await oauth.introspectionRequest(as, { client_id: api }, watching, token, { ...LOCAL, ...options });
  return { response, told: await oauth.processIntrospectionResponse(as, { client_id: api }, response) };
}

async function register(as, metadata) {
  const about = { client_name: "A strict judge", redirect_uris: [CALLBACK], grant_types: ["authorization_code", "refresh_token"], ...metadata };
  return oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, about, LOCAL));
}

/** The server's metadata, found from nothing but the address of the MCP endpoint. */
async function discover() {
  const { status, cause } = await refusal(oauth.protectedResourceRequest("none", "POST", new URL(mcp), new Headers(), LIST, LOCAL));
  assert.equal(status, 401);
  const challenge = cause.find(({ scheme }) => scheme === "bearer").parameters;
  assert.equal(challenge.error, "invalid_token");
  assert.equal(challenge.scope, SCOPE);
  const described = await fetch(challenge.resource_metadata);
  const resource = await oauth.processResourceDiscoveryResponse(new URL(mcp), described);
  const guessed = await oauth.resourceDiscoveryRequest(new URL(mcp), LOCAL);
  assert.deepEqual(resource, await oauth.processResourceDiscoveryResponse(new URL(mcp), guessed));
  assert.deepEqual(resource.authorization_servers, [issuer]);
  const server = new URL(resource.authorization_servers[0]);
  const discovered = await oauth.discoveryRequest(server, { ...LOCAL, algorithm: "oauth2" });
  return oauth.processDiscoveryResponse(server, discovered);
}

const as = await check("from the challenge of the MCP endpoint to the metadata of the server", discover);
if (!as) finish();
const ours = { client_id: registered("atoms-cli").id };
const none = oauth.None();

await check("code with PKCE; the resource server verifies the token by itself", async () => {
  const tokens = await redeem(as, ours, none, await ask(as, ours));
  assert.equal(tokens.scope ?? SCOPE, SCOPE);
  const { response, seen } = await call(tokens.access_token);
  assert.equal(response.status, 200);
  const claims = await oauth.validateJwtAccessToken(as, seen, mcp, LOCAL);
  const { client_id, scope, exp, iat } = claims;
  assert.deepEqual({ client_id, scope }, { client_id: ours.client_id, scope: SCOPE });
  assert.equal(exp - iat, tokens.expires_in);
  const elsewhere = oauth.validateJwtAccessToken(as, seen, issuer, LOCAL);
  assert.match((await refusal(elsewhere)).message, /"aud"/);
});

await check("introspection, as JSON and as a signed JWT", async () => {
  const tokens = await redeem(as, ours, none, await ask(as, ours));
  const { told } = await introspect(as, tokens.access_token);
  assert.deepEqual([told.active, told.scope, told.aud], [true, SCOPE, mcp]);
  const jwt = await introspect(as, tokens.access_token, { requestJwtResponse: true });
  assert.match(jwt.response.headers.get("content-type"), /^application\/token-introspection\+jwt/);
  await oauth.validateApplicationLevelSignature(as, jwt.response, LOCAL);
  assert.deepEqual(jwt.told, told);
  assert.equal((await introspect(as, tokens.refresh_token)).told.active, true);
  const stranger = await introspect(as, "unknown", { requestJwtResponse: true });
  assert.deepEqual(stranger.told, { active: false });
});

await check("refresh gives a token of the same session", async () => {
  const tokens = await redeem(as, ours, none, await ask(as, ours));
  const refresh = async (client) => {
    const response = await oauth.refreshTokenGrantRequest(as, client, none, tokens.refresh_token, { ...LOCAL, ...RESOURCE });
    return oauth.processRefreshTokenResponse(as, client, response);
  };
  const next = await refresh(ours);
  const sid = async (token) => (await introspect(as, token)).told.sid;
  assert.equal(await sid(next.access_token), await sid(tokens.access_token));
  const other = { client_id: registered("atoms-web").id };
  assert.equal((await refusal(refresh(other))).error, "invalid_grant");
});

await check("revocation of an access token, and of what nobody knows", async () => {
  const tokens = await redeem(as, ours, none, await ask(as, ours));
  for (const token of [tokens.access_token, tokens.access_token, "unknown"]) {
    const response = await oauth.revocationRequest(as, ours, none, token, LOCAL);
    await oauth.processRevocationResponse(response);
  }
  assert.deepEqual((await introspect(as, tokens.access_token)).told, { active: false });
  const { status } = await refusal(oauth.protectedResourceRequest(tokens.access_token, "POST", new URL(mcp), new Headers(), LIST, LOCAL));
  assert.equal(status, 401);
});

for (const [name, change] of [
  ["another verifier", (asked) => ({ ...asked, verifier: oauth.generateRandomCodeVerifier() })],
  ["no code of ours", ({ answer, verifier }) => {
    answer.set("code", "ac1_forged");
    return { answer, verifier };
  }],
]) {
  await check(`a code is refused with ${name}`, async () => {
    const asked = change(await ask(as, ours));
    const { status, error } = await refusal(redeem(as, ours, none, asked));
    assert.deepEqual({ status, error }, { status: 400, error: "invalid_grant" });
  });
}

for (const [error, wrong] of [
  ["invalid_request", { code_challenge: "", code_challenge_method: "" }],
  ["invalid_request", { code_challenge_method: "plain" }],
  ["unsupported_response_type", { response_type: "token" }],
  ["invalid_scope", { scope: "everything" }],
  ["invalid_target", { resource: "https://elsewhere.example/mcp" }],
]) {
  await check(`a request is refused by ${error}, with state and iss: ${JSON.stringify(wrong)}`, async () => {
    assert.equal((await refusal(ask(as, ours, { wrong }))).error, error);
  });
}

const client = await check("registration", async () => {
  const client = await register(as, { token_endpoint_auth_method: "client_secret_basic" });
  assert.equal(typeof client.client_secret_expires_at, "number");
  return client;
});

if (client) {
  const authentication = oauth.ClientSecretBasic(client.client_secret);
  await check("a request is pushed, and used once", async () => {
    const tokens = await redeem(as, client, authentication, await ask(as, client, { authentication }));
    assert.equal((await call(tokens.access_token)).response.status, 200);
  });
  await check("a pushed request is refused at once", async () => {
    const refused = await refusal(ask(as, client, { authentication, wrong: { scope: "everything" } }));
    assert.equal(refused.error, "invalid_scope");
    const nobody = oauth.ClientSecretBasic("wrong");
    const unknown = await refusal(ask(as, client, { authentication: nobody }));
    assert.equal(unknown.status, 401);
  });
  await check("a wrong secret is told in the way that it came", async () => {
    const asked = await ask(as, client, { authentication });
    const basic = await refusal(redeem(as, client, oauth.ClientSecretBasic("wrong"), asked));
    assert.equal(basic.status, 401);
    assert.equal(basic.cause[0].scheme, "basic");
  });
}

for (const algorithm of ["ES256", "Ed25519"]) {
  await check(`DPoP by ${algorithm}: the resource server verifies token and proof by itself`, async () => {
    const pair = await oauth.generateKeyPair(algorithm);
    const DPoP = oauth.DPoP(ours, pair);
    const tokens = await redeem(as, ours, none, await ask(as, ours), { DPoP });
    assert.equal(tokens.token_type, "dpop");
    const { response, seen } = await call(tokens.access_token, { DPoP });
    assert.equal(response.status, 200);
    const { cnf } = await oauth.validateJwtAccessToken(as, seen, mcp, { ...LOCAL, requireDPoP: true });
    assert.equal(cnf.jkt, await DPoP.calculateThumbprint());
    const { status, cause } = await refusal(oauth.protectedResourceRequest(tokens.access_token, "POST", new URL(mcp), new Headers(), LIST, LOCAL));
    assert.equal(status, 401);
    assert.ok(cause.some(({ scheme }) => scheme === "dpop"));
  });
}

await check("DPoP: a code that was asked for with one key is refused with another", async () => {
  const [one, other] = [oauth.DPoP(ours, await oauth.generateKeyPair("ES256")), oauth.DPoP(ours, await oauth.generateKeyPair("ES256"))];
  const asked = await ask(as, ours, { wrong: { dpop_jkt: await one.calculateThumbprint() } });
  assert.match((await refusal(redeem(as, ours, none, asked, { DPoP: other }))).error, /^invalid_(grant|dpop_proof)$/);
  await redeem(as, ours, none, asked, { DPoP: one });
});

await check("client credentials: the resource server verifies the token by itself", async () => {
  const { id, secret } = registered("atoms-service");
  const service = { client_id: id };
  const response = await oauth.clientCredentialsGrantRequest(as, service, oauth.ClientSecretPost(secret), { resource: mcp }, LOCAL);
  const tokens = await oauth.processClientCredentialsResponse(as, service, response);
  const request = new Request(mcp, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, mcp, LOCAL);
  assert.deepEqual([claims.client_id, claims.sub], [id, id]);
});

finish();
