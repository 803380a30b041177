// The MCP SDK for TypeScript 1.x, which most clients are built on, judges the way from the MCP endpoint's
// refusal to its tools.
//
//   ATOMS_STACK=<stack.json> node tests/judges/mcp-sdk-1.mjs

import { ClientCredentialsProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { judge } from "./mcp-client.mjs";
import { finish } from "./stack.mjs";

/** This SDK wants the code alone. */
function codeOf(answer) {
  if (!answer.has("code")) throw new Error(answer.get("error"));
  return answer.get("code");
}

await judge({
  name: "sdk-1",
  Client,
  ClientCredentialsProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
  finish: (transport, answer) => transport.finishAuth(codeOf(answer)),
});
finish();
