// A browser judges the pages that people see, and axe-core their accessibility.
//
//   cargo run -p pages --example gallery -- <gallery>
//   node tests/judges/pages.mjs <gallery> [<pictures>]
//
// Pictures of all pages are left in the last folder, to be looked at.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { launch } from "./browser.mjs";
import { check, finish } from "./report.mjs";

const [gallery, pictures] = process.argv.slice(2);
if (!gallery) {
  console.error("usage: node pages.mjs <gallery> [<pictures>]");
  process.exit(2);
}
if (pictures) mkdirSync(pictures, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const policy = readFileSync(path.join(gallery, "policy.txt"), "utf8");
const names = readdirSync(gallery).filter((file) => file.endsWith(".html")).map((file) => file.slice(0, -5));

const NARROW = { width: 320, height: 640 };
const USUAL = { width: 1024, height: 768 };

/** Serves the gallery as the functions do, and keeps what is asked of it. */
function serve() {
  const asked = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      const { pathname } = new URL(request.url, "http://x");
      asked.push({ method: request.method, path: pathname, headers: request.headers, body });
      const name = pathname.slice(1);
      if (request.method === "GET" && names.includes(name)) {
        response.writeHead(200, {
          "content-type": "text/html; charset=utf-8",
          "content-security-policy": policy,
          "cross-origin-opener-policy": "same-origin",
          "referrer-policy": "no-referrer",
          "x-content-type-options": "nosniff",
          "x-frame-options": "DENY",
        });
        response.end(readFileSync(path.join(gallery, `${name}.html`)));
      } else if (pathname === "/framing") {
        response.writeHead(200, { "content-type": "text/html" });
        response.end(`<iframe src="/account"></iframe><iframe src="/consent-document"></iframe>`);
      } else {
        response.writeHead(200, { "content-type": "text/plain" });
        response.end("here");
      }
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({ asked, base: `http://127.0.0.1:${server.address().port}`, close: () => server.close() });
    });
  });
}

/** A page in a browser of its own; what goes wrong in it is in `complaints`. */
async function open(browser, name, options = {}) {
  const context = await browser.newContext({ viewport: USUAL, ...options });
  const complaints = [];
  const elsewhere = [];
  context.on("request", (request) => {
    if (!request.url().startsWith(site.base)) elsewhere.push(request.url());
  });
  // Whoever goes elsewhere arrives, so that the way there is judged and nothing else.
  await context.route(
    (url) => !url.href.startsWith(site.base),
    (route) => route.fulfill({ contentType: "text/plain", body: "there" }),
  );
  const page = await context.newPage();
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(`${site.base}/${name}`);
  return { page, context, complaints, elsewhere };
}

/** What can be reached by the Tab key, in order, and how it shows that it was. */
async function reached(page) {
  const found = [];
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const { width, height } = element.getBoundingClientRect();
      const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden])")];
      return { at: all.indexOf(element), outline: outlineStyle, thick: parseFloat(outlineWidth), width, height, tag: element.tagName };
    });
    if (!focus || found.some((other) => other.at === focus.at)) break;
    found.push(focus);
  }
  return found;
}

async function judge(browser, name) {
  await check(`${name}: nothing goes wrong, and nothing is loaded`, async () => {
    site.asked.length = 0;
    const { context, complaints, elsewhere, page } = await open(browser, name);
    await page.waitForLoadState("networkidle");
    const loaded = site.asked.map((request) => request.path).filter((path) => path !== "/favicon.ico");
    const onward = await page.locator("meta[http-equiv=refresh]").evaluateAll((found) => found.map((meta) => meta.content.slice(7)));
    assert.deepEqual({ complaints, elsewhere, loaded }, { complaints: [], elsewhere: onward, loaded: [`/${name}`] });
    await context.close();
  });
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries({ usual: USUAL, narrow: NARROW })) {
      await check(`${name}: accessible, ${colorScheme}, ${size}`, async () => {
        const { context, page } = await open(browser, name, { colorScheme, viewport });
        if (pictures) {
          const file = path.join(pictures, `${name}.${size}.${colorScheme}.png`);
          await page.screenshot({ path: file, fullPage: true });
        }
        await page.evaluate(axe);
        const { violations, incomplete } = await page.evaluate(() => globalThis.axe.run());
        const told = (finding) => `${finding.id}: ${finding.nodes.map((node) => node.html).join(" ")}`;
        assert.deepEqual(violations.map(told), []);
        assert.deepEqual(incomplete.map(told), []);
        await context.close();
      });
    }
  }
  await check(`${name}: fits into 320 pixels`, async () => {
    const { context, page } = await open(browser, name, { viewport: NARROW });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= NARROW.width, `${width} pixels`);
    await context.close();
  });
  await check(`${name}: everything is reached by the keyboard, and shows it`, async () => {
    const { context, page } = await open(browser, name);
    const all = await page.locator("a[href], button, input:not([type=hidden])").count();
    const found = await reached(page);
    assert.deepEqual(found.map((focus) => focus.at), [...Array(all).keys()]);
    for (const focus of found) {
      assert.ok(focus.outline === "solid" && focus.thick >= 2, JSON.stringify(focus));
      assert.ok(focus.tag !== "BUTTON" || focus.height >= 44, JSON.stringify(focus));
    }
    await context.close();
  });
  await check(`${name}: has a language, a title and one heading of the first level`, async () => {
    const { context, page } = await open(browser, name);
    assert.equal(await page.locator("html[lang=en]").count(), 1);
    assert.match(await page.title(), / – Atoms$/);
    assert.equal(await page.locator("h1").count(), 1);
    assert.equal(await page.locator("script, iframe, img, object, embed, link, [onload], [onerror]").count(), 0);
    assert.equal(await page.locator("form:not([action^='/'])").count(), 0);
    await context.close();
  });
}

async function forms(browser) {
  for (const javaScriptEnabled of [true, false]) {
    const how = javaScriptEnabled ? "with scripts" : "without scripts";
    for (const [label, decision] of [["Allow", "allow"], ["Deny", "deny"]]) {
      await check(`consent: ${label} by the keyboard, ${how}`, async () => {
        const { context, page, complaints } = await open(browser, "consent-document", { javaScriptEnabled });
        await page.getByRole("button", { name: label, exact: true }).focus();
        await page.keyboard.press("Enter");
        await page.waitForURL("**/oauth/consent");
        const posted = site.asked.findLast((request) => request.method === "POST");
        const fields = Object.fromEntries(new URLSearchParams(posted.body));
        assert.deepEqual(fields, { request: "AQHsealedrequest", csrf: "1.q0NTRUZURVNURVRFU1RURVNU", decision });
        assert.equal(posted.headers["sec-fetch-site"], "same-origin");
        assert.equal(posted.headers.referer, undefined);
        assert.deepEqual(complaints, []);
        await context.close();
      });
    }
    for (const [label, to] of [
      ["End session of Claude on Firefox on Linux", "/account/sessions/00112233445566778899aabbccddeeff/end"],
      ["End all other sessions", "/account/others/end"],
      ["Disconnect Cursor", "/account/apps/end"],
      ["Sign out", "/account/sign-out"],
    ]) {
      await check(`account: "${label}", ${how}`, async () => {
        const { context, page } = await open(browser, "account", { javaScriptEnabled });
        await page.getByRole("button", { name: label, exact: true }).click();
        await page.waitForURL(`**${to}`);
        const posted = site.asked.findLast((request) => request.method === "POST");
        assert.equal(new URLSearchParams(posted.body).get("csrf"), "1.q0NTRUZURVNURVRFU1RURVNU");
        await context.close();
      });
    }
  }
}

async function wayBack(browser) {
  await check("returning: goes on by itself, without scripts, and says nothing of where from", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const arrived = [];
    await context.route("https://client.example/**", (route) => {
      arrived.push(route.request());
      return route.fulfill({ contentType: "text/plain", body: "there" });
    });
    const page = await context.newPage();
    await page.goto(`${site.base}/returning`);
    await page.waitForURL("https://client.example/**");
    assert.equal(page.url(), "https://client.example/cb?code=ac1_x&state=%22%3Cy");
    assert.equal(arrived[0].headers().referer, undefined);
    await context.close();
  });
  await check("returning: has a link for a browser that does not", async () => {
    const { context, page } = await open(browser, "returning-app");
    const link = page.getByRole("link", { name: "Continue" });
    assert.equal(await link.getAttribute("href"), "cursor://anysphere.cursor/oauth?code=ac1_x");
    await context.close();
  });
  await check("returning: runs no script that somebody registered as an address", async () => {
    const { context, page, complaints } = await open(browser, "returning-hostile");
    assert.equal(await page.getByRole("link").count(), 0);
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

async function framing(browser) {
  await check("no page can be framed", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${site.base}/framing`);
    await page.waitForLoadState("networkidle");
    const frames = page.frames().filter((frame) => frame !== page.mainFrame());
    assert.equal(frames.length, 2);
    for (const frame of frames) {
      assert.match(frame.url(), /^chrome-error:/);
      assert.equal(await frame.locator("button").count(), 0);
    }
    await context.close();
  });
}

const site = await serve();
const browser = await launch();
try {
  console.log(`judged by Chromium ${browser.version()}`);
  for (const name of names.filter((name) => name !== "returning")) await judge(browser, name);
  await forms(browser);
  await wayBack(browser);
  await framing(browser);
} finally {
  await browser.close();
  site.close();
}
finish();
