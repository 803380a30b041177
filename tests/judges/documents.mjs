// Documents of clients, on the one origin that the local stack lets be a host of such.

import http from "node:http";
import { settings } from "./stack.mjs";

/** Publish what a client says of itself, until it is closed; answers its id, too. */
export async function publish(name, metadata) {
  const origin = settings.CLIENT_METADATA_HOSTS?.split(",")[0];
  if (!origin) throw new Error("the stack has no CLIENT_METADATA_HOSTS");
  const id = `${origin}/${name}.json`;
  const text = JSON.stringify({ client_id: id, ...metadata });
  const server = http.createServer((request, response) => {
    const found = request.url === new URL(id).pathname;
    response.writeHead(found ? 200 : 404, { "content-type": "application/json", "cache-control": "max-age=60" });
    response.end(found ? text : "{}");
  });
  const { hostname, port } = new URL(origin);
  await new Promise((resolve, reject) => server.on("error", reject).listen(Number(port), hostname, resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { id, close };
}
