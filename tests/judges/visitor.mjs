// A person with a browser that knows cookies, redirects and forms, and nothing else: enough for the pages
// of an authorization server that work without JavaScript.

import { workos } from "./stack.mjs";

/** More steps than any sign-in has. */
const MOST_STEPS = 20;

export class Visitor {
  #cookies = new Map();
  /** The addresses of the pages that were shown. */
  pages = [];

  /** @param email whom AuthKit finds before the screen @param decision what they answer to consent */
  constructor({ email, decision = "allow" }) {
    this.email = email;
    this.decision = decision;
  }

  /** Follow a link until it leads to `callback`; answers that address, which is not visited. */
  async visit(link, callback) {
    let request = { url: new URL(link) };
    for (let step = 0; step < MOST_STEPS; step += 1) {
      if (leadsTo(request.url, callback)) return request.url;
      request = await this.#next(request);
    }
    throw new Error(`the sign-in does not end: ${request.url}`);
  }

  async #next(request) {
    const { url } = request;
    // At AuthKit they say who they are.
    if (url.href.startsWith(`${workos}/user_management/authorize`) && this.email) {
      url.searchParams.set("login_hint", this.email);
    }
    const response = await fetch(url, {
      method: request.method,
      body: request.body,
      redirect: "manual",
      headers: this.#headers(url, request),
    });
    this.#remember(url, response);
    const location = response.headers.get("location");
    if (location) return { url: new URL(location, url), from: request.from };
    const page = await response.text();
    this.pages.push({ url: url.href, status: response.status, page, headers: response.headers });
    return this.#answer(url, page, response.status);
  }

  /** What a person does with a page. */
  #answer(url, page, status) {
    const onward = /<meta[^>]*http-equiv="?refresh"?[^>]*content="\d+; *url=([^"]*)"/i.exec(page);
    if (onward) return { url: new URL(unescaped(onward[1]), url) };
    const form = /<form[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/is.exec(page);
    if (!form) throw new Error(`${url} answered ${status}: ${words(page)}`);
    const body = new URLSearchParams();
    for (const [tag] of form[2].matchAll(/<input[^>]*>/gi)) {
      const [name, value] = [attribute(tag, "name"), attribute(tag, "value")];
      if (name) body.append(name, value ?? "");
    }
    const buttons = [...form[2].matchAll(/<button[^>]*>/gi)].map(([tag]) => tag);
    const pressed = buttons.find((tag) => attribute(tag, "value") === this.decision);
    if (!pressed) throw new Error(`no button says ${this.decision} on ${url}: ${words(page)}`);
    body.append(attribute(pressed, "name"), this.decision);
    return { url: new URL(unescaped(form[1]), url), method: "POST", body, from: url };
  }

  /** As a browser says where a request comes from. */
  #headers(url, { method, from }) {
    const headers = { accept: "text/html", "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" };
    const cookies = [...this.#jar(url)].map(([name, value]) => `${name}=${value}`);
    if (cookies.length > 0) headers.cookie = cookies.join("; ");
    if (method === "POST") {
      headers.origin = from.origin;
      headers["sec-fetch-site"] = from.origin === url.origin ? "same-origin" : "cross-site";
      headers["sec-fetch-mode"] = "navigate";
    }
    return headers;
  }

  #jar(url) {
    if (!this.#cookies.has(url.hostname)) this.#cookies.set(url.hostname, new Map());
    return this.#cookies.get(url.hostname);
  }

  #remember(url, response) {
    for (const cookie of response.headers.getSetCookie()) {
      const [pair, ...attributes] = cookie.split(";");
      const [name, ...value] = pair.split("=");
      const gone = attributes.some((text) => /^\s*max-age=(0|-\d+)\s*$/i.test(text));
      if (gone) this.#jar(url).delete(name.trim());
      else this.#jar(url).set(name.trim(), value.join("=").trim());
    }
  }
}

function leadsTo(url, callback) {
  return `${url.origin}${url.pathname}` === callback || url.href.split("?")[0] === callback;
}

function attribute(tag, name) {
  const found = new RegExp(`\\b${name}="([^"]*)"`, "i").exec(tag);
  return found ? unescaped(found[1]) : undefined;
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescaped(text) {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (decimal) return String.fromCodePoint(Number(decimal));
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    return ENTITIES[name] ?? whole;
  });
}

/** What a page says, in short. */
function words(page) {
  const body = page.replace(/<style.*?<\/style>/gis, "").replace(/<[^>]*>/g, " ");
  return unescaped(body).replace(/\s+/g, " ").trim().slice(0, 300);
}
