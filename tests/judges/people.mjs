// A person with a real browser: from an application's link by way of AuthKit and consent back to it, and to
// their own account; and other sites that would like to do it for them.
//
//   ATOMS_STACK=<stack.json> node tests/judges/people.mjs [<pictures>]

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { launch } from "./browser.mjs";
import { check, finish, issuer, person, workos } from "./stack.mjs";

const pictures = process.argv[2];
if (pictures) mkdirSync(pictures, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Serves what `answer` says on a port of its own. */
async function serve(answer) {
  const server = http.createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port, origin: `http://127.0.0.1:${port}`, close };
}

/** An application on this computer. What it is told it takes elsewhere, as those of the web do. */
async function application(name) {
  const server = await serve((request, response) => {
    const { pathname, search } = new URL(request.url, "http://x");
    if (pathname === "/callback") {
      response.writeHead(302, { location: `http://localhost:${server.port}/welcome${search}` });
      response.end();
    } else {
      response.writeHead(200, { "content-type": "text/plain" });
      response.end("welcome");
    }
  });
  const redirect_uri = `${server.origin}/callback`;
  const registration = await fetch(`${issuer}/oauth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: name,
      redirect_uris: [redirect_uri],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "none",
    }),
  });
  assert.equal(registration.status, 201);
  const { client_id } = await registration.json();
  return { ...server, name, redirect_uri, client_id };
}

/** The link by which an application begins for somebody whom AuthKit finds by their address, and what it
 * keeps to itself. */
function link(app, email, scope) {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    response_type: "code",
    client_id: app.client_id,
    redirect_uri: app.redirect_uri,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    state: "of the application",
    scope,
    login_hint: email,
  });
  return { href: `${issuer}/oauth/authorize?${query}`, verifier };
}

async function token(fields) {
  const response = await fetch(`${issuer}/oauth/token`, { method: "POST", body: new URLSearchParams(fields) });
  return { status: response.status, ...(await response.json()) };
}

/** Tokens for the code that an application was told. */
function redeem(app, told, verifier) {
  const { client_id, redirect_uri } = app;
  return token({ grant_type: "authorization_code", code: told.searchParams.get("code"), client_id, redirect_uri, code_verifier: verifier });
}

/** A browser of its own. */
async function visitor(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1024, height: 768 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(error.message));
  return { context, page, complaints };
}

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
}

/** What axe-core finds wrong with a page. */
async function findings(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map((finding) => `${finding.id}: ${finding.nodes.map((node) => node.html).join(" ")}`);
}

/** Press the button, and see where the application ends up. */
async function answered(page, app, label) {
  await page.getByRole("button", { name: label, exact: true }).click();
  await page.waitForURL(`http://localhost:${app.port}/welcome**`);
  return new URL(page.url());
}

const READ = "atoms:workspace.read";

async function connects(browser, app, javaScriptEnabled) {
  const how = javaScriptEnabled ? "" : ", without scripts";
  const email = await person();
  const { context, page, complaints } = await visitor(browser, { javaScriptEnabled });
  await check(`somebody allows an application that goes on elsewhere${how}`, async () => {
    const { href, verifier } = link(app, email, `${READ} offline_access`);
    await page.goto(href);
    await picture(page, `live-consent${javaScriptEnabled ? "" : "-plain"}`);
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), `Allow ${app.name} to use your account?`);
    for (const said of [email, "this computer", "See your workspaces", "Stay connected", "anyone can register"]) {
      assert.ok(await page.getByText(said).count(), said);
    }
    if (javaScriptEnabled) assert.deepEqual(await findings(page), []);
    const told = await answered(page, app, "Allow");
    assert.equal(told.searchParams.get("iss"), issuer);
    assert.equal(told.searchParams.get("state"), "of the application");
    const tokens = await redeem(app, told, verifier);
    assert.equal(tokens.status, 200);
    assert.equal((await redeem(app, told, verifier)).error, "invalid_grant");
    // The replay has ended it; what follows has a session of its own.
  });
  const tokens = await check(`a program on the person's computer asks each time${how}`, async () => {
    const { href, verifier } = link(app, email, READ);
    await page.goto(href);
    return redeem(app, await answered(page, app, "Allow"), verifier);
  });
  await check(`somebody denies${how}`, async () => {
    await page.goto(link(app, email, `${READ} atoms:workspace.write`).href);
    const told = await answered(page, app, "Deny");
    assert.equal(told.searchParams.get("error"), "access_denied");
    assert.equal(told.searchParams.get("code"), null);
  });
  await check(`the account page shows and ends it${how}`, async () => {
    await page.goto(`${issuer}/account`);
    await picture(page, `live-account${javaScriptEnabled ? "" : "-plain"}`);
    if (javaScriptEnabled) assert.deepEqual(await findings(page), []);
    const session = page.getByRole("listitem").filter({ has: page.getByText("This browser") });
    assert.equal(await session.count(), 1);
    assert.ok((await session.textContent()).includes(app.name));
    await session.getByRole("button").click();
    await page.waitForURL(`${issuer}/account?done=ended`);
    assert.ok(await page.getByText("The session has ended.").count());
    const refreshed = await token({ grant_type: "refresh_token", refresh_token: tokens.refresh_token, client_id: app.client_id });
    assert.equal(refreshed.error, "invalid_grant");
  });
  await check(`an application is disconnected${how}`, async () => {
    await page.getByRole("button", { name: `Disconnect ${app.name}` }).click();
    await page.waitForURL(`${issuer}/account?done=disconnected`);
    assert.equal(await page.getByRole("button", { name: `Disconnect ${app.name}` }).count(), 0);
  });
  await check(`whoever signs out is asked anew${how}`, async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${issuer}/account/sign-out`);
    await picture(page, `live-signed-out${javaScriptEnabled ? "" : "-plain"}`);
    const asked = page.waitForRequest((request) => request.url().startsWith(`${workos}/user_management/authorize`));
    await page.getByRole("link", { name: "Sign in" }).click();
    assert.equal(new URL((await asked).url()).searchParams.get("max_age"), "0");
    await page.waitForURL(`${issuer}/account`);
  });
  await check(`the browser has nothing to complain about${how}`, () => assert.deepEqual(complaints, []));
  await context.close();
}

/** A site that a signed-in person visits, and that knows more than it should. */
async function attacked(browser, app) {
  const email = await person();
  const { context, page } = await visitor(browser);
  await page.goto(link(app, email, READ).href);
  const fields = await page.locator("form input").evaluateAll((inputs) => inputs.map(({ name, value }) => [name, value]));
  await page.goto(`${issuer}/account`);
  const csrf = await page.locator("input[name=csrf]").first().getAttribute("value");
  const input = ([name, value]) => `<input name="${name}" value="${value}">`;
  const evil = await serve((request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<form id="others" method="post" action="${issuer}/account/others/end">${input(["csrf", csrf])}<button>a</button></form>
      <form id="consent" method="post" action="${issuer}/oauth/consent">${fields.map(input).join("")}<button name="decision" value="allow">b</button></form>
      <iframe src="${issuer}/account"></iframe><iframe src="${link(app, email, READ).href}"></iframe>`);
  });
  // Another host is another site; another port would not be.
  const site = `http://localhost:${evil.port}/`;
  for (const form of ["others", "consent"]) {
    await check(`another site does not post the form "${form}"`, async () => {
      await page.goto(site);
      const [response] = await Promise.all([
        page.waitForResponse((response) => response.request().method() === "POST"),
        page.locator(`#${form} button`).click(),
      ]);
      assert.equal(response.status(), 403);
      assert.equal(response.request().headers().cookie, undefined);
    });
  }
  await check("another site frames nothing", async () => {
    await page.goto(site);
    await page.waitForLoadState("networkidle");
    for (const frame of page.frames().filter((frame) => frame !== page.mainFrame())) {
      assert.equal(await frame.locator("button").count(), 0, frame.url());
    }
  });
  evil.close();
  await context.close();
}

const app = await application("Connector");
const browser = await launch();
try {
  console.log(`Chromium ${browser.version()}`);
  await connects(browser, app, true);
  await connects(browser, app, false);
  await attacked(browser, app);
} finally {
  await browser.close();
  app.close();
}
finish();
