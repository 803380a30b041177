// What judges of the authorization server have in common: the stack that they judge, its people and
// registered clients, and (from report.mjs) how they report.
//
// A judge is told of the stack by the file that ATOMS_STACK names (StackInfo in tests/stack).

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

export { check, finish, refusal } from "./report.mjs";

const file = process.env.ATOMS_STACK;
if (!file) {
  console.error("ATOMS_STACK must name the stack.json of a running stack; cargo xtask dev says where it is");
  process.exit(2);
}
const info = JSON.parse(readFileSync(file, "utf8"));

/** Where the stack is; also the issuer. */
export const issuer = info.base_url;
/** The MCP endpoint; also the name of the resource. */
export const mcp = `${issuer}/mcp`;
/** The identity provider. */
export const workos = info.workos_url;
/** The settings of the functions. */
export const settings = info.settings;
/** Where judges may leave what they say. */
export const folder = info.folder;
/** What a stranger's client may ask for. */
export const SCOPE = "atoms:workspace.read atoms:workspace.write";

/** A registered client. */
export function registered(id) {
  const client = info.clients[id];
  if (!client) throw new Error(`no client ${id} is registered`);
  return client;
}

/** A new person; answers their e-mail address. */
export async function person() {
  const email = `judge-${randomBytes(6).toString("hex")}@example.test`;
  await administer("/user_management/users", { email, email_verified: true });
  return email;
}

/** Sign in at the identity provider, as an application of ours may by itself; answers the access token. */
export async function signInAtWorkos(email) {
  const callback = "http://127.0.0.1/callback";
  const query = { client_id: settings.WORKOS_CLIENT_ID, redirect_uri: callback, response_type: "code", provider: "authkit", login_hint: email };
  const page = await fetch(`${workos}/user_management/authorize?${new URLSearchParams(query)}`, { redirect: "manual" });
  const code = new URL(page.headers.get("location")).searchParams.get("code");
  const tokens = await administer("/user_management/authenticate", {
    grant_type: "authorization_code",
    client_id: settings.WORKOS_CLIENT_ID,
    client_secret: settings.WORKOS_API_KEY,
    code,
  });
  return tokens.access_token;
}

async function administer(path, body) {
  const response = await fetch(`${workos}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${settings.WORKOS_API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`the identity provider answered ${response.status}`);
  return response.json();
}
