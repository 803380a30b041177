// The peer, set up the way its documentation says. Whoever asks to be authorized is: the benchmark
// measures tokens, not consent pages.
import { OAuthProvider } from "@cloudflare/workers-oauth-provider";

const ORIGIN = "https://peer.example";

const defaultHandler = {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/client") {
      const client = await env.OAUTH_PROVIDER.createClient({
        clientName: "bench",
        redirectUris: ["https://client.example/callback"],
        tokenEndpointAuthMethod: "none",
      });
      return Response.json({ client_id: client.clientId });
    }
    const asked = await env.OAUTH_PROVIDER.parseAuthRequest(request);
    const userId = url.searchParams.get("state");
    const { redirectTo } = await env.OAUTH_PROVIDER.completeAuthorization({
      request: asked,
      userId,
      metadata: {},
      scope: asked.scope,
      props: { userId },
    });
    return Response.redirect(redirectTo, 302);
  },
};

export default new OAuthProvider({
  apiRoute: "/api",
  apiHandler: { fetch: () => new Response("ok") },
  defaultHandler,
  authorizeEndpoint: "/authorize",
  tokenEndpoint: "/token",
  scopesSupported: ["atoms:workspace.read", "atoms:workspace.write", "offline_access"],
  resourceMetadata: { resource: `${ORIGIN}/api`, authorization_servers: [ORIGIN] },
});
