// What a program is that uses an MCP SDK: it keeps what the SDK gives it to keep, opens a browser, listens
// for the answer. The SDKs 1.x and 2.x ask the same of it, and are asked the same checks.

import assert from "node:assert/strict";
import http from "node:http";
import { launch } from "./browser.mjs";
import { publish } from "./documents.mjs";
import { SCOPE, check, issuer, mcp, person, refusal, registered, workos } from "./stack.mjs";
import { Visitor } from "./visitor.mjs";

const ABOUT = { client_name: "A program with an MCP SDK", client_uri: "https://judge.example", grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] };

/** Listens on this machine; each answer of the authorization server is taken once. */
export class Callback {
  #waiting = [];

  static async listen() {
    const callback = new Callback();
    callback.server = http.createServer((request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<title>Done</title><p>You can close this window.");
      const url = new URL(request.url, callback.url);
      if (url.pathname === "/callback") callback.#waiting.shift()?.(url.searchParams);
    });
    await new Promise((resolve) => callback.server.listen(0, "127.0.0.1", resolve));
    callback.url = `http://127.0.0.1:${callback.server.address().port}/callback`;
    return callback;
  }

  next() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** A person at a Chromium, for whoever needs to see a page. */
export class Window {
  constructor(browser, email) {
    this.browser = browser;
    this.email = email;
    this.seen = [];
  }

  async visit(link, callback) {
    const context = await this.browser.newContext();
    try {
      const page = await context.newPage();
      // At AuthKit they say who they are.
      await page.route(`${workos}/user_management/authorize?*`, (route) => {
        const url = new URL(route.request().url());
        if (url.searchParams.has("login_hint")) return route.continue();
        url.searchParams.set("login_hint", this.email);
        return route.fulfill({ status: 302, headers: { location: url.href } });
      });
      await page.goto(link.href ?? link);
      if (!page.url().startsWith(callback)) {
        this.seen.push(await page.locator("body").innerText());
        await page.getByRole("button", { name: "Allow", exact: true }).click();
        await page.waitForURL(`${callback}?**`);
      }
    } finally {
      await context.close();
    }
  }
}

/** A visitor whose last step, too, is made: somebody listens there. */
class Program extends Visitor {
  async visit(link, callback) {
    await fetch(await super.visit(link, callback));
  }
}

/** What both SDKs call an OAuthClientProvider. */
export class Provider {
  asked = [];
  #kept = {};

  constructor({ callback, visitor, information, metadata, session }) {
    Object.assign(this, { callback, visitor, session });
    this.#kept.information = information;
    this.clientMetadata = { ...ABOUT, redirect_uris: [callback.url], token_endpoint_auth_method: "none", ...metadata };
    if (session) this.dpop = () => session;
  }

  get redirectUrl() {
    return this.callback.url;
  }

  state() {
    this.sent = crypto.randomUUID();
    return this.sent;
  }

  clientInformation() {
    return this.#kept.information;
  }

  saveClientInformation(information) {
    this.#kept.information = information;
  }

  tokens() {
    return this.#kept.tokens;
  }

  saveTokens(tokens) {
    this.#kept.tokens = tokens;
  }

  saveCodeVerifier(verifier) {
    this.#kept.verifier = verifier;
  }

  codeVerifier() {
    return this.#kept.verifier;
  }

  saveDiscoveryState(state) {
    this.#kept.discovery = state;
  }

  discoveryState() {
    return this.#kept.discovery;
  }

  invalidateCredentials(scope) {
    if (scope === "all" || scope === "client") delete this.#kept.information;
    if (scope === "all" || scope === "tokens") delete this.#kept.tokens;
  }

  /** The browser is a program of its own: nobody waits for it here. */
  redirectToAuthorization(url) {
    this.asked.push(url);
    this.answer = this.callback.next();
    this.visited = this.visitor.visit(url, this.callback.url);
  }
}

/** Connect, and sign in if that is what it takes; answers the client. */
export async function connect(sdk, provider) {
  const once = async () => {
    const transport = new sdk.StreamableHTTPClientTransport(new URL(mcp), { authProvider: provider });
    const client = new sdk.Client({ name: "judge", version: "1.0.0" }, sdk.options);
    return { transport, client };
  };
  const first = await once();
  try {
    await first.client.connect(first.transport);
    return first.client;
  } catch (error) {
    if (!(error instanceof sdk.UnauthorizedError)) throw error;
  }
  const [answer] = await Promise.all([provider.answer, provider.visited]);
  assert.equal(answer.get("state"), provider.sent);
  assert.equal(answer.get("iss"), issuer);
  await sdk.finish(first.transport, answer);
  const second = await once();
  await second.client.connect(second.transport);
  return second.client;
}

/** Use the tools as far as a new person can. */
export async function use(client) {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map(({ name }) => name), ["workspace"]);
  const name = `Of ${crypto.randomUUID()}`;
  const made = await client.callTool({ name: "workspace", arguments: { operation: "create_workspace", name } });
  assert.equal(made.isError ?? false, false, JSON.stringify(made.content));
  const listed = await client.callTool({ name: "workspace", arguments: { operation: "list_workspaces" } });
  assert.ok(listed.structuredContent.workspaces.some((workspace) => workspace.name === name));
}

/** The checks of one SDK. */
export async function judge(sdk) {
  const callback = await Callback.listen();
  const browser = await launch();
  const email = await person();
  const provider = (options) => new Provider({ callback, visitor: new Program({ email }), ...options });
  const worker = provider({ visitor: new Window(browser, email) });
  await check("from the 401 through registration, sign-in and consent in a browser to a tool call", async () => {
    const client = await connect(sdk, worker);
    await use(client);
    await client.close();
    const [asked] = worker.asked;
    assert.equal(asked.searchParams.get("resource"), mcp);
    assert.equal(asked.searchParams.get("scope"), SCOPE);
    assert.match(worker.visitor.seen[0], /A program with an MCP SDK/);
  });
  await check("what it has kept is enough the next time", async () => {
    const client = await connect(sdk, worker);
    await use(client);
    await client.close();
    assert.equal(worker.asked.length, 1);
  });
  await check("an access token that is over is refreshed, without the person", async () => {
    const before = worker.tokens();
    worker.saveTokens({ ...before, access_token: "over" });
    const client = await connect(sdk, worker);
    await use(client);
    await client.close();
    assert.equal(worker.asked.length, 1);
    assert.notEqual(worker.tokens().refresh_token, before.refresh_token);
  });
  await check("a token of fewer scopes is widened when a tool needs more", async () => {
    const { refresh_token } = worker.tokens();
    const body = { grant_type: "refresh_token", refresh_token, client_id: worker.clientInformation().client_id, scope: "atoms:workspace.read" };
    const answer = await fetch(`${issuer}/oauth/token`, { method: "POST", body: new URLSearchParams(body) });
    worker.saveTokens({ ...(await answer.json()), issuer: worker.tokens().issuer });
    const client = await connect(sdk, worker);
    await use(client);
    await client.close();
    assert.equal(worker.asked.length, 1);
  });
  await check("after a revocation the person is asked to sign in again", async () => {
    const { refresh_token } = worker.tokens();
    const body = { token: refresh_token, client_id: worker.clientInformation().client_id };
    await fetch(`${issuer}/auth/token/revoke`, { method: "POST", body: new URLSearchParams(body) });
    const client = await connect(sdk, worker);
    await use(client);
    await client.close();
    assert.equal(worker.asked.length, 2);
  });
  await browser.close();

  await check("a client that is described by a document", async () => {
    const document = await publish(`${sdk.name}-${crypto.randomUUID()}`, { ...ABOUT, redirect_uris: [callback.url], token_endpoint_auth_method: "none" });
    try {
      // Both SDKs take the address of a document for one only with https, which nobody here would trust; so it is told as the client's id.
      const client = await connect(sdk, provider({ information: { client_id: document.id, issuer } }));
      await use(client);
      await client.close();
    } finally {
      document.close();
    }
  });
  for (const method of ["client_secret_basic", "client_secret_post"]) {
    await check(`a client that registers for ${method}`, async () => {
      const own = provider({ metadata: { token_endpoint_auth_method: method } });
      const client = await connect(sdk, own);
      await use(client);
      await client.close();
      assert.ok(own.clientInformation().client_secret);
    });
  }
  await check("a client that was registered by us", async () => {
    const client = await connect(sdk, provider({ information: { client_id: registered("third-party").id, issuer } }));
    await use(client);
    await client.close();
  });
  await check("a session that outlasts the day, with offline_access", async () => {
    const own = provider({ metadata: { scope: `${SCOPE} offline_access` } });
    const client = await connect(sdk, own);
    await use(client);
    await client.close();
    assert.ok(own.tokens().refresh_token);
  });
  await check("a person who denies", async () => {
    const own = provider({ visitor: new Program({ email, decision: "deny" }) });
    const error = await refusal(connect(sdk, own));
    assert.match(`${error.code ?? ""} ${error.message}`, /access_denied/);
  });
  await check("a service with client credentials", async () => {
    const { id, secret } = registered("atoms-service");
    const options = { clientId: id, clientSecret: secret, scope: SCOPE, expectedIssuer: issuer };
    const client = await connect(sdk, new sdk.ClientCredentialsProvider(options));
    const { tools } = await client.listTools();
    assert.equal(tools[0].name, "workspace");
    await client.close();
  });
  await sdk.more?.({ provider, connect: (own) => connect(sdk, own) });
  callback.close();
}
