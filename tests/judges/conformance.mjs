// The conformance tool of the Model Context Protocol judges the authorization server: its scenarios of
// the command `authorization`, as a client of ours and as one that has registered itself.
//
//   ATOMS_STACK=<stack.json> node tests/judges/conformance.mjs

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { check, finish, folder, issuer, mcp, person, registered } from "./stack.mjs";
import { Visitor } from "./visitor.mjs";

const TOOL = path.join(import.meta.dirname, "../../node_modules/@modelcontextprotocol/conformance/dist/index.js");
/** A scenario waits for a person; nothing here takes longer. */
const PATIENCE = 60_000;

const server = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();

/** The tool listens for the answer on a port that it must be given. */
async function freePort() {
  const listener = net.createServer();
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

/** A client that registers itself, for one callback. */
async function register(callback) {
  const metadata = { client_name: "MCP conformance", redirect_uris: [callback], token_endpoint_auth_method: "none" };
  const response = await fetch(server.registration_endpoint, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(metadata),
  });
  const { client_id, error } = await response.json();
  if (!client_id) throw new Error(`registration answered ${response.status}: ${error}`);
  return client_id;
}

/** Run all scenarios, go where the tool asks a person to go; answers what it has found. */
async function run(client, port) {
  const results = mkdtempSync(path.join(folder, "conformance-"));
  const callback = `http://127.0.0.1:${port}/callback`;
  const options = ["authorization", "--url", issuer, "--client-id", client, "--resource", mcp, "--port", port, "--output-dir", results];
  const tool = spawn(process.execPath, [TOOL, ...options.map(String)], { stdio: ["ignore", "pipe", "pipe"], timeout: PATIENCE });
  const ended = new Promise((resolve) => tool.on("close", resolve));
  const said = [];
  const email = await person();
  for (const stream of [tool.stdout, tool.stderr]) {
    createInterface(stream).on("line", (line) => {
      said.push(line);
      if (!line.startsWith(`${server.authorization_endpoint}?`)) return;
      new Visitor({ email }).visit(line, callback).then(fetch).catch((error) => {
        said.push(error.message);
        tool.kill();
      });
    });
  }
  const status = await ended;
  const checks = readdirSync(results, { recursive: true }).filter((file) => file.endsWith("checks.json")).flatMap((file) => JSON.parse(readFileSync(path.join(results, file), "utf8")));
  rmSync(results, { recursive: true });
  return { status, checks, said: said.join("\n") };
}

for (const [name, known] of [
  ["a client of ours", () => registered("atoms-cli").id],
  ["a client that registers itself", register],
]) {
  await check(`${name}: all scenarios`, async () => {
    const port = await freePort();
    const client = await known(`http://127.0.0.1:${port}/callback`);
    const { status, checks, said } = await run(client, port);
    // What it skips or only warns of, it has not judged.
    for (const { id, status, errorMessage } of checks) {
      await check(`${name}: ${id}`, () => {
        if (status !== "SUCCESS") throw new Error(`${status}: ${errorMessage}`);
      });
    }
    if (status !== 0 || checks.length < 3) throw new Error(`${checks.length} checks, status ${status}: ${said}`);
  });
}

finish();
