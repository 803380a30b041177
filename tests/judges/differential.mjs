// The same revocations and introspections are asked of our authorization server and of a peer,
// oidc-provider. Where the answers differ, differences.mjs must say why; nothing else may differ, and
// what it says must still be so.
//
//   ATOMS_STACK=<stack.json> node tests/judges/differential.mjs

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import * as client from "openid-client";
import { DIFFERENCES } from "./differences.mjs";
import { startPeer } from "./peer.mjs";
import { SCOPE, check, finish, issuer, mcp, person, registered } from "./stack.mjs";
import { Visitor } from "./visitor.mjs";

const LOCAL = { execute: [client.allowInsecureRequests], algorithm: "oauth2" };
const CALLBACK = "http://127.0.0.1:51791/callback";

/** One of the two servers, with people who sign in and clients who ask. */
class Side {
  constructor({ issuer, mcp, clients, email }) {
    Object.assign(this, { issuer, mcp, clients, email });
  }

  /** A session of a public client. */
  async session({ DPoP, resource = this.mcp } = {}) {
    const id = "atoms-web";
    const config = await client.discovery(new URL(this.issuer), id, undefined, client.None(), LOCAL);
    const bound = DPoP && { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair()) };
    const verifier = client.randomPKCECodeVerifier();
    const link = client.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: SCOPE,
      resource,
      state: "s",
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    const answer = await new Visitor(this).visit(link, CALLBACK);
    const checks = { pkceCodeVerifier: verifier, expectedState: "s" };
    const tokens = await client.authorizationCodeGrant(config, answer, checks, { resource }, bound);
    const refresh = () => client.refreshTokenGrant(config, tokens.refresh_token, { resource }, bound);
    return { access: tokens.access_token, refresh: tokens.refresh_token, next: refresh };
  }

  async endpoint(name) {
    this.metadata ??= await (await fetch(`${this.issuer}/.well-known/oauth-authorization-server`)).json();
    return this.metadata[`${name}_endpoint`];
  }

  basic(id, secret = this.clients(id).secret) {
    return `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
  }

  async ask(name, body, { method = "POST", authorization, type = "application/x-www-form-urlencoded", query = "", accept } = {}) {
    const headers = { "content-type": type };
    if (authorization) headers.authorization = authorization;
    if (accept) headers.accept = accept;
    const text = typeof body === "string" ? body : new URLSearchParams(body).toString();
    const sent = method === "GET" ? undefined : text;
    return fetch(`${await this.endpoint(name)}${query}`, { method, headers, body: sent });
  }

  introspect(body, options) {
    return this.ask("introspection", body, { authorization: this.basic("atoms-api"), ...options });
  }

  revoke(body, options) {
    return this.ask("revocation", { client_id: "atoms-web", ...body }, options);
  }

  async active(token) {
    return (await (await this.introspect({ token })).json()).active;
  }

  /** What of an answer can be compared. */
  async seen(response, tokens) {
    const text = await response.text();
    const media = response.headers.get("content-type")?.split(";")[0] ?? "";
    const scheme = response.headers.get("www-authenticate")?.split(" ")[0] ?? "";
    const after = {};
    if (tokens) for (const name of ["access", "refresh"]) after[name] = await this.active(tokens[name]);
    const body = media === "application/json" && text ? JSON.parse(text) : {};
    return {
      status: response.status,
      media: text ? media : "",
      members: Object.keys(body).sort(),
      values: this.#comparable(body),
      stored: stored(response),
      scheme,
      ...after,
    };
  }

  /** Those that do not speak of one person, one client or one moment. */
  #comparable(body) {
    const names = ["active", "aud", "client_id", "error", "iss", "scope", "token_type"];
    const told = names.filter((name) => name in body).map((name) => [name, body[name]]);
    return JSON.parse(JSON.stringify(Object.fromEntries(told)).replaceAll(this.issuer, "{issuer}"));
  }
}

function stored(response) {
  const directives = response.headers.get("cache-control") ?? "";
  return directives.includes("no-store") ? "never" : "perhaps";
}

/** What is asked: of a side, with a session of its own. */
const CASES = {
  "introspect: access token": (side, { access }) => side.introspect({ token: access }),
  "introspect: access token, right hint": (side, { access }) => side.introspect({ token: access, token_type_hint: "access_token" }),
  "introspect: access token, wrong hint": (side, { access }) => side.introspect({ token: access, token_type_hint: "refresh_token" }),
  "introspect: access token, unknown hint": (side, { access }) => side.introspect({ token: access, token_type_hint: "saml" }),
  "introspect: access token, unknown parameter": (side, { access }) => side.introspect({ token: access, colour: "blue" }),
  "introspect: refresh token": (side, { refresh }) => side.introspect({ token: refresh }),
  "introspect: refresh token, wrong hint": (side, { refresh }) => side.introspect({ token: refresh, token_type_hint: "access_token" }),
  "introspect: rotated refresh token": async (side, { refresh, next }) => {
    await next();
    return side.introspect({ token: refresh });
  },
  "introspect: access token of before a refresh": async (side, { access, next }) => {
    await next();
    return side.introspect({ token: access });
  },
  "introspect: signed": (side, { access }) => side.introspect({ token: access }, { accept: "application/token-introspection+jwt" }),
  "introspect: unknown token": (side) => side.introspect({ token: "unknown" }),
  "introspect: token of nonsense": (side) => side.introspect({ token: "\u0000\u{1F9EA}=&%" }),
  "introspect: no token": (side) => side.introspect({}),
  "introspect: empty token": (side) => side.introspect({ token: "" }),
  "introspect: token twice": (side, { access }) => side.introspect(`token=${access}&token=${access}`),
  "introspect: token in the query": (side, { access }) => side.introspect({}, { query: `?token=${access}` }),
  "introspect: GET": (side, { access }) => side.introspect({}, { method: "GET", query: `?token=${access}` }),
  "introspect: JSON": (side, { access }) => side.introspect(JSON.stringify({ token: access }), { type: "application/json" }),
  "introspect: nobody asks": (side, { access }) => side.introspect({ token: access }, { authorization: undefined }),
  "introspect: wrong secret": (side, { access }) => side.introspect({ token: access }, { authorization: side.basic("atoms-api", "wrong") }),
  "introspect: wrong secret in the body": (side, { access }) =>
    side.introspect({ token: access, client_id: "atoms-api", client_secret: "wrong" }, { authorization: undefined }),
  "introspect: unknown client": (side, { access }) => side.introspect({ token: access }, { authorization: side.basic("nobody", "x") }),
  "introspect: two ways to authenticate": (side, { access }) =>
    side.introspect({ token: access, client_id: "atoms-api", client_secret: side.clients("atoms-api").secret }),
  "introspect: another client named": (side, { access }) => side.introspect({ token: access, client_id: "atoms-web" }),
  "introspect: malformed Basic": (side, { access }) => side.introspect({ token: access }, { authorization: "Basic !" }),
  "introspect: Bearer": (side, { access }) => side.introspect({ token: access }, { authorization: `Bearer ${access}` }),
  "introspect: a public client": (side, { access }) => side.introspect({ token: access, client_id: "atoms-web" }, { authorization: undefined }),
  "introspect: a client that may not": (side, { access }) => side.introspect({ token: access }, { authorization: side.basic("atoms-service") }),
  "introspect: a client that may not see this one": async (side) => {
    const { access } = await side.session({ resource: side.issuer });
    return side.introspect({ token: access }, { authorization: side.basic("atoms-narrow") });
  },
  "introspect: a client that may see this one": (side, { access }) => side.introspect({ token: access }, { authorization: side.basic("atoms-narrow") }),
  "revoke: refresh token": (side, { refresh }) => side.revoke({ token: refresh }),
  "revoke: refresh token, right hint": (side, { refresh }) => side.revoke({ token: refresh, token_type_hint: "refresh_token" }),
  "revoke: refresh token, wrong hint": (side, { refresh }) => side.revoke({ token: refresh, token_type_hint: "access_token" }),
  "revoke: refresh token, unknown hint": (side, { refresh }) => side.revoke({ token: refresh, token_type_hint: "saml" }),
  "revoke: refresh token, again": async (side, { refresh }) => {
    await side.revoke({ token: refresh });
    return side.revoke({ token: refresh });
  },
  "revoke: rotated refresh token": async (side, { refresh, next }) => {
    await next();
    return side.revoke({ token: refresh });
  },
  "revoke: access token": (side, { access }) => side.revoke({ token: access }),
  "revoke: access token, wrong hint": (side, { access }) => side.revoke({ token: access, token_type_hint: "refresh_token" }),
  "revoke: unknown token": (side) => side.revoke({ token: "unknown" }),
  "revoke: no token": (side) => side.revoke({}),
  "revoke: empty token": (side) => side.revoke({ token: "" }),
  "revoke: token twice": (side, { refresh }) => side.ask("revocation", `client_id=atoms-web&token=${refresh}&token=${refresh}`),
  "revoke: token in the query": (side, { refresh }) => side.revoke({}, { query: `?token=${refresh}` }),
  "revoke: GET": (side, { refresh }) => side.revoke({}, { method: "GET", query: `?client_id=atoms-web&token=${refresh}` }),
  "revoke: JSON": (side, { refresh }) =>
    side.ask("revocation", JSON.stringify({ client_id: "atoms-web", token: refresh }), { type: "application/json" }),
  "revoke: nobody asks": (side, { refresh }) => side.ask("revocation", { token: refresh }),
  "revoke: unknown client": (side, { refresh }) => side.revoke({ token: refresh, client_id: "nobody" }),
  "revoke: a public client with a secret": (side, { refresh }) => side.revoke({ token: refresh, client_secret: "x" }),
  "revoke: another public client": (side, { refresh }) => side.revoke({ token: refresh, client_id: "third-party" }),
  "revoke: another public client, access token": (side, { access }) => side.revoke({ token: access, client_id: "third-party" }),
  "revoke: another confidential client": (side, { refresh }) =>
    side.ask("revocation", { token: refresh }, { authorization: side.basic("atoms-service") }),
  "revoke: wrong secret": (side, { refresh }) =>
    side.ask("revocation", { token: refresh }, { authorization: side.basic("atoms-service", "wrong") }),
};

async function run(side, name) {
  const session = await side.session();
  const response = await CASES[name](side, session);
  return side.seen(response, session);
}

const peer = await startPeer();
const ours = new Side({ issuer, mcp, clients: registered, email: await person() });
const theirs = new Side({ issuer: peer.issuer, mcp: peer.mcp, clients: (id) => peer.clients[id] });

/** What an entry of the list tells of a request. */
const tells = (entry, name, { aspect, ours, theirs }) =>
  (entry.of instanceof RegExp ? entry.of.test(name) : entry.of.includes(name)) &&
  entry.aspect === aspect &&
  isDeepStrictEqual([entry.ours, entry.theirs], [ours, theirs]);

const told = new Set();
for (const name of Object.keys(CASES)) {
  await check(name, async () => {
    const [one, other] = await Promise.all([run(ours, name), run(theirs, name)]);
    const found = Object.keys(one)
      .map((aspect) => ({ aspect, ours: one[aspect], theirs: other[aspect] }))
      .filter((pair) => !isDeepStrictEqual(pair.ours, pair.theirs));
    for (const difference of found) {
      const entry = DIFFERENCES.find((entry) => tells(entry, name, difference));
      if (!entry) continue;
      difference.because = entry.because;
      told.add(entry).add(`${DIFFERENCES.indexOf(entry)} ${name}`);
      console.log(`     ${difference.aspect} differs: ${entry.because}`);
    }
    const unexpected = found.filter(({ because }) => !because);
    if (unexpected.length > 0) throw new Error(`differs, and nothing says why: ${JSON.stringify(unexpected)}`);
  });
}

await check("bound to a key: introspection tells both alike", async () => {
  for (const side of [ours, theirs]) {
    const { access } = await side.session({ DPoP: true });
    const { token_type, cnf } = await (await side.introspect({ token: access })).json();
    assert.equal(token_type, "DPoP");
    assert.deepEqual(Object.keys(cnf), ["jkt"]);
  }
});

await check("nothing is listed that does not differ", () => {
  const missing = DIFFERENCES.flatMap((entry, index) => {
    if (entry.of instanceof RegExp) return told.has(entry) ? [] : [`${entry.of} ${entry.aspect}`];
    return entry.of.filter((name) => !told.has(`${index} ${name}`)).map((name) => `${name} ${entry.aspect}`);
  });
  assert.deepEqual(missing, []);
});

peer.close();
finish();
