// What a program is that uses an MCP SDK: it keeps what the SDK gives it to keep, opens a browser, listens
// for the answer. The SDKs 1.x and 2.x ask the same of it, and are asked the same checks.

import assert from "node:assert/strict";
import http from "node:http";
import { launch } from "./browser.mjs";
import { publish } from "./documents.mjs";
import { SCOPE, check, issuer, mcp, person, refusal, registered } from "./stack.mjs";
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

/** A person at a Chromium, for whoever needs to see a page: the one that AuthKit signs in if nobody says who. */
export class Window {
  seen = [];

  constructor(browser) {
    this.browser = browser;
  }

  async visit(link, callback) {
    const context = await this.browser.newContext();
    try {
      const page = await context.newPage();
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

/** Do something with the tools, and sign in if that is what it takes. */
export async function work(sdk, provider, task = use) {
  const attempt = async () => {
    const transport = new sdk.StreamableHTTPClientTransport(new URL(mcp), { authProvider: provider });
    const client = new sdk.Client({ name: "judge", version: "1.0.0" }, sdk.options);
    try {
      await client.connect(transport);
      await task(client);
      return undefined;
    } catch (error) {
      if (error instanceof sdk.UnauthorizedError) return transport;
      throw error;
    } finally {
      await client.close();
    }
  };
  const refused = await attempt();
  if (!refused) return;
  const [answer] = await Promise.all([provider.answer, provider.visited]);
  assert.equal(answer.get("state"), provider.sent);
  assert.equal(answer.get("iss"), issuer);
  await sdk.finish(refused, answer);
  assert.equal(await attempt(), undefined, "signed in, and refused");
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
  const worker = provider({ visitor: new Window(browser) });
  const asked = () => worker.asked.length;
  await check("from the 401 through registration, sign-in and consent in a browser to a tool call", async () => {
    await work(sdk, worker);
    const parameters = worker.asked[0].searchParams;
    assert.equal(parameters.get("resource"), mcp);
    assert.match(parameters.get("scope"), new RegExp(`^${SCOPE}( offline_access)?$`));
    assert.match(worker.visitor.seen[0], /A program with an MCP SDK/);
  });
  await check("what it has kept is enough the next time", async () => {
    await work(sdk, worker);
    assert.equal(asked(), 1);
  });
  await check("an access token that is over is refreshed, without the person", async () => {
    const before = worker.tokens();
    worker.saveTokens({ ...before, access_token: "over" });
    await work(sdk, worker);
    assert.equal(asked(), 1);
    assert.notEqual(worker.tokens().refresh_token, before.refresh_token);
  });
  await check("a token of fewer scopes is widened when a tool needs more", async () => {
    const { refresh_token, issuer: stamp } = worker.tokens();
    const { client_id } = worker.clientInformation();
    const narrow = await post("/oauth/token", { grant_type: "refresh_token", refresh_token, client_id, scope: "atoms:workspace.read" });
    worker.saveTokens({ ...(await narrow.json()), issuer: stamp });
    await work(sdk, worker);
    assert.match(worker.tokens().scope, /workspace\.write/);
    assert.equal(asked(), sdk.asksForMore ? 2 : 1);
  });
  await check("after a revocation the person is asked to sign in again", async () => {
    const before = asked();
    const { client_id } = worker.clientInformation();
    await post("/auth/token/revoke", { token: worker.tokens().refresh_token, client_id });
    await work(sdk, worker);
    assert.equal(asked(), before + 1);
  });
  await browser.close();

  await check("a client that is described by a document", async () => {
    const about = { ...ABOUT, redirect_uris: [callback.url], token_endpoint_auth_method: "none" };
    const document = await publish(`${sdk.name}-${crypto.randomUUID()}`, about);
    try {
      // Both SDKs take the address of a document for one only with https, and nobody here would trust the
      // certificate; so they are told it as the client's id.
      await work(sdk, provider({ information: { client_id: document.id, issuer } }));
    } finally {
      document.close();
    }
  });
  for (const method of ["client_secret_basic", "client_secret_post"]) {
    await check(`a client that registers for ${method}`, async () => {
      const own = provider({ metadata: { token_endpoint_auth_method: method } });
      await work(sdk, own);
      assert.ok(own.clientInformation().client_secret);
    });
  }
  await check("a client that was registered by us", async () => {
    await work(sdk, provider({ information: { client_id: registered("third-party").id, issuer } }));
  });
  await check("a session that outlasts the day, with offline_access", async () => {
    const own = provider({ metadata: { scope: `${SCOPE} offline_access` } });
    await work(sdk, own);
    assert.ok(own.tokens().refresh_token);
  });
  await check("a person who denies", async () => {
    const own = provider({ visitor: new Program({ email, decision: "deny" }) });
    const error = await refusal(work(sdk, own));
    assert.match(`${error.code ?? ""} ${error.message}`, /access_denied/);
  });
  await check("a service with client credentials", async () => {
    const { id, secret } = registered("atoms-service");
    const options = { clientId: id, clientSecret: secret, scope: SCOPE, expectedIssuer: issuer };
    await work(sdk, new sdk.ClientCredentialsProvider(options), async (client) => {
      const { tools } = await client.listTools();
      assert.equal(tools[0].name, "workspace");
    });
  });
  await sdk.more?.(provider);
  callback.close();
}

function post(path, body) {
  return fetch(`${issuer}${path}`, { method: "POST", body: new URLSearchParams(body) });
}
