// A KV namespace in memory, in the protocol that workerd speaks to one: the cheapest there can be.
const entries = new Map();

function live(name) {
  const entry = entries.get(name);
  if (entry?.until <= Date.now()) {
    entries.delete(name);
    return undefined;
  }
  return entry;
}

async function put(name, request, query) {
  const seconds = query.get("expiration_ttl");
  const at = query.get("expiration");
  const until = seconds ? Date.now() + 1000 * seconds : at ? 1000 * at : undefined;
  const value = await request.arrayBuffer();
  entries.set(name, { value, until, metadata: request.headers.get("CF-KV-Metadata") });
  return new Response();
}

function get(name) {
  const entry = live(name);
  if (!entry) return new Response("", { status: 404 });
  const headers = entry.metadata ? { "CF-KV-Metadata": entry.metadata } : {};
  return new Response(entry.value, { headers });
}

function list(query) {
  const prefix = query.get("prefix") ?? "";
  const names = [...entries.keys()].filter((name) => name.startsWith(prefix) && live(name)).sort();
  const keys = names.map((name) => {
    const { metadata } = entries.get(name);
    return metadata ? { name, metadata: JSON.parse(metadata) } : { name };
  });
  return Response.json({ keys, list_complete: true, cacheStatus: null });
}

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const name = decodeURIComponent(pathname.slice(1));
    if (name === "") return list(searchParams);
    if (request.method === "PUT") return put(name, request, searchParams);
    if (request.method === "GET") return get(name);
    entries.delete(name);
    return new Response();
  },
};
