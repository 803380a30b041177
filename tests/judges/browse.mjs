// A browser to be opened by programs that open the system's: it goes where it is told, agrees, and takes the
// answer to the program.
//
//   ATOMS_STACK=<stack.json> JUDGE_PERSON=<e-mail> node tests/judges/browse.mjs <link>

import { setTimeout as pause } from "node:timers/promises";
import { Visitor } from "./visitor.mjs";

const link = new URL(process.argv[2]);
const callback = link.searchParams.get("redirect_uri");
const answer = await new Visitor({ email: process.env.JUDGE_PERSON }).visit(link, callback);
// A program may listen a moment later than it opens the browser.
for (let attempt = 0; ; attempt += 1) {
  try {
    await fetch(answer);
    break;
  } catch (error) {
    if (attempt === 50) throw error;
    await pause(100);
  }
}
