// The MCP SDK for TypeScript 2.x judges the way from the MCP endpoint's refusal to its tools: with the
// handshake of the older revisions, with the one that finds out which revision is served, and with tokens
// that are bound to a key.
//
//   ATOMS_STACK=<stack.json> node tests/judges/mcp-sdk-2.mjs

import assert from "node:assert/strict";
import {
  Client,
  ClientCredentialsProvider,
  DpopSession,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { judge, work } from "./mcp-client.mjs";
import { check, finish } from "./stack.mjs";

const SDK = {
  name: "sdk-2",
  Client,
  ClientCredentialsProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
  // Where 1.x refreshes, 2.x sends the person for more scopes.
  asksForMore: true,
  finish: (transport, answer) => transport.finishAuth(answer),
};

async function bound(provider) {
  for (const alg of ["ES256", "EdDSA"]) {
    await check(`tokens that are bound to a key, ${alg}`, async () => {
      const own = provider({ session: await DpopSession.create({ alg }) });
      await work(SDK, own);
      assert.equal(own.tokens().token_type.toLowerCase(), "dpop");
      own.saveTokens({ ...own.tokens(), access_token: "over" });
      await work(SDK, own);
      assert.equal(own.asked.length, 1);
    });
  }
}

await judge({ ...SDK, more: bound });
await judge({ ...SDK, options: { versionNegotiation: { mode: "auto" } } });
finish();
