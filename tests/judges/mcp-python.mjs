// The MCP SDK for Python and FastMCP judge the way from the MCP endpoint's refusal to its tools. They come
// from PyPI, so a machine without Python, or without a way there, is not asked.
//
//   ATOMS_STACK=<stack.json> node tests/judges/mcp-python.mjs

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { issuer, person, registered } from "./stack.mjs";

const HERE = path.join(import.meta.dirname, "python");
const REQUIREMENTS = path.join(HERE, "requirements.txt");
const TOOLS = path.join(import.meta.dirname, "../../target/tools");

function skip(reason) {
  console.log(`skipped: ${reason}`);
  console.log("0 passed, 0 failed");
  process.exit(0);
}

function run(program, ...options) {
  return spawnSync(program, options, { encoding: "utf8", timeout: 300_000 });
}

/** A Python with the packages, made once for each list of them. */
function environment() {
  const version = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex").slice(0, 12);
  const folder = path.join(TOOLS, `python-${version}`);
  const python = path.join(folder, "bin/python");
  if (existsSync(path.join(folder, "complete"))) return python;
  const found = run("python3", "-c", "import sys, venv; sys.exit(sys.version_info < (3, 11))");
  if (found.status !== 0) skip("there is no Python 3.11 with venv on PATH");
  rmSync(folder, { recursive: true, force: true });
  if (run("python3", "-m", "venv", folder).status !== 0) skip("Python cannot make an environment");
  const pip = ["--disable-pip-version-check", "--only-binary", ":all:", "--retries", "1", "--timeout", "20"];
  const installed = run(python, "-m", "pip", "install", ...pip, "--no-deps", "-r", REQUIREMENTS);
  if (installed.status !== 0) skip(`the packages cannot be installed: ${installed.stderr.trim().split("\n").at(-1)}`);
  writeFileSync(path.join(folder, "complete"), "");
  return python;
}

const python = environment();
const { id, secret } = registered("atoms-service");
const browser = [process.execPath, path.join(import.meta.dirname, "browse.mjs"), "%s", "&"];
const judge = spawn(python, [path.join(HERE, "judge.py")], {
  stdio: ["ignore", "inherit", "inherit"],
  env: {
    ...process.env,
    // Python's webbrowser starts it.
    BROWSER: browser.join(" "),
    JUDGE_ISSUER: issuer,
    JUDGE_PERSON: await person(),
    JUDGE_SERVICE: id,
    JUDGE_SERVICE_SECRET: secret,
  },
});
judge.on("close", (status) => process.exit(status ?? 1));
