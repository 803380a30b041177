// Clients that cannot run here are at least imitated: they register, or describe themselves, as their users
// have reported, and ask for what they ask for.
//
//   ATOMS_STACK=<stack.json> node tests/judges/known-clients.mjs

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { publish } from "./documents.mjs";
import { SCOPE, check, finish, issuer, mcp, person } from "./stack.mjs";
import { Visitor } from "./visitor.mjs";

const CODE = { grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] };

/** What they send, and which of their redirect URIs they then use. */
const CLIENTS = {
  // anthropics/claude-code#37767: the document has no port, the request one.
  "Claude Code, by its document": {
    document: { client_name: "Claude Code", client_uri: "https://claude.ai", redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback"], ...CODE, token_endpoint_auth_method: "none" },
    callback: "http://localhost:58135/callback",
  },
  "Claude Code, registered": {
    metadata: { client_name: "Claude Code (atoms)", redirect_uris: ["http://localhost:3118/callback"], ...CODE, token_endpoint_auth_method: "none" },
    callback: "http://localhost:3118/callback",
    state: "",
  },
  "Claude, by its document": {
    document: { client_name: "Claude", client_uri: "https://claude.ai", redirect_uris: ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"], ...CODE, token_endpoint_auth_method: "none" },
    callback: "https://claude.ai/api/mcp/auth_callback",
  },
  "Claude, registered": {
    metadata: { client_name: "Claude", redirect_uris: ["https://claude.ai/api/mcp/auth_callback"], ...CODE, scope: "claudeai", token_endpoint_auth_method: "client_secret_post" },
    callback: "https://claude.ai/api/mcp/auth_callback",
  },
  "Cursor, with its scheme": {
    metadata: { client_name: "Cursor", redirect_uris: ["cursor://anysphere.cursor-mcp/oauth/callback"], ...CODE, token_endpoint_auth_method: "none" },
    callback: "cursor://anysphere.cursor-mcp/oauth/callback",
  },
  "Cursor, listening": {
    metadata: { client_name: "Cursor", redirect_uris: ["http://localhost:8787/callback", "cursor://anysphere.cursor-mcp/oauth/callback"], ...CODE, token_endpoint_auth_method: "none" },
    callback: "http://localhost:8787/callback",
  },
  "Visual Studio Code": {
    metadata: {
      client_name: "Visual Studio Code",
      client_uri: "https://code.visualstudio.com",
      redirect_uris: ["https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"],
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      application_type: "native",
    },
    callback: "http://127.0.0.1:33418/",
  },
  ChatGPT: {
    metadata: { client_name: "ChatGPT", redirect_uris: ["https://chatgpt.com/connector_platform_oauth_redirect"], ...CODE, token_endpoint_auth_method: "none" },
    callback: "https://chatgpt.com/connector_platform_oauth_redirect",
  },
  "mcp-remote": {
    metadata: {
      client_name: "MCP CLI Proxy",
      client_uri: "https://github.com/modelcontextprotocol/mcp-cli",
      software_id: "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
      software_version: "0.1.37",
      redirect_uris: ["http://localhost:35535/oauth/callback"],
      ...CODE,
      token_endpoint_auth_method: "none",
    },
    callback: "http://localhost:35535/oauth/callback",
  },
  // No scope, no state, no resource, and by RFC 7591 no refresh tokens and a secret: all that can be left out.
  "a client of the first days": {
    metadata: { client_name: "Old", redirect_uris: ["http://localhost:6274/oauth/callback"] },
    callback: "http://localhost:6274/oauth/callback",
    scope: "",
    state: "",
    resource: "",
  },
};

const server = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
const email = await person();

async function register(metadata) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(server.registration_endpoint, { method: "POST", headers, body: JSON.stringify(metadata) });
  assert.equal(response.status, 201, await response.clone().text());
  return response.json();
}

const filled = (parameters) => new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));

/** The code for a client, by way of sign-in and consent. */
async function ask(id, { callback, scope = SCOPE, state = "s", resource = mcp }) {
  const verifier = randomBytes(32).toString("base64url");
  const code_challenge = createHash("sha256").update(verifier).digest("base64url");
  const query = { response_type: "code", client_id: id, redirect_uri: callback, scope, state, resource, code_challenge, code_challenge_method: "S256" };
  const answer = await new Visitor({ email }).visit(`${server.authorization_endpoint}?${filled(query)}`, callback);
  assert.equal(answer.searchParams.get("state") ?? "", state);
  assert.equal(answer.searchParams.get("iss"), issuer);
  return { code: answer.searchParams.get("code"), code_verifier: verifier };
}

async function token(client, parameters) {
  const headers = {};
  const body = filled(parameters);
  if (client.token_endpoint_auth_method === "client_secret_basic") {
    headers.authorization = `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString("base64")}`;
  } else {
    body.set("client_id", client.client_id);
    if (client.client_secret) body.set("client_secret", client.client_secret);
  }
  const response = await fetch(server.token_endpoint, { method: "POST", headers, body });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

async function opens(access) {
  const headers = { authorization: `Bearer ${access}`, "content-type": "application/json", accept: "application/json, text/event-stream" };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
  assert.equal((await fetch(mcp, { method: "POST", headers, body })).status, 200);
}

for (const [name, about] of Object.entries(CLIENTS)) {
  await check(name, async () => {
    const { metadata, document, callback, resource = mcp } = about;
    const published = document && (await publish(`known-${randomBytes(6).toString("hex")}`, document));
    try {
      const client = published ? { client_id: published.id } : await register(metadata);
      const redeemed = { grant_type: "authorization_code", ...(await ask(client.client_id, about)), redirect_uri: callback, resource };
      const first = await token(client, redeemed);
      await opens(first.access_token);
      const lasts = (document ?? metadata).grant_types?.includes("refresh_token") ?? false;
      assert.equal("refresh_token" in first, lasts);
      if (!lasts) return;
      const { access_token } = await token(client, { grant_type: "refresh_token", refresh_token: first.refresh_token, resource });
      await opens(access_token);
    } finally {
      published?.close();
    }
  });
}

finish();
