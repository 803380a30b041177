// A peer of our authorization server: oidc-provider, with the clients of a stack, told to be as alike as
// its settings go. Whoever comes has signed in and allows everything.

import { randomBytes } from "node:crypto";
import http from "node:http";
import Provider from "oidc-provider";

const SCOPES = ["atoms:workspace.read", "atoms:workspace.write", "offline_access"];

/** Start it on a free port; answers its issuer, its clients, and how to end it. */
export async function startPeer({ format = "opaque" } = {}) {
  const server = http.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const clients = seeds();
  const provider = new Provider(issuer, configuration(issuer, clients, format));
  const answer = provider.callback();
  server.on("request", (request, response) => {
    if (request.url.startsWith("/interaction/")) agree(provider, request, response);
    else answer(request, response);
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { issuer, mcp: `${issuer}/mcp`, clients, close };
}

function seeds() {
  const secret = () => randomBytes(32).toString("base64url");
  return {
    "atoms-web": { id: "atoms-web", secret: null },
    "atoms-cli": { id: "atoms-cli", secret: null },
    "third-party": { id: "third-party", secret: null },
    "atoms-service": { id: "atoms-service", secret: secret() },
    "atoms-api": { id: "atoms-api", secret: secret() },
    "atoms-narrow": { id: "atoms-narrow", secret: secret() },
  };
}

function configuration(issuer, clients, format) {
  return {
    clients: Object.values(clients).map(metadata),
    clientDefaults: { grant_types: ["authorization_code", "refresh_token"] },
    cookies: { keys: ["peer"] },
    scopes: SCOPES,
    pkce: { required: () => true },
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: () => true,
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      introspection: { enabled: true, allowedPolicy: (_, client, token) => mayAsk(client.clientId, token, issuer) },
      jwtIntrospection: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      registration: { enabled: true },
      registrationManagement: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => `${issuer}/mcp`,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, audience) => ({ scope: SCOPES.join(" "), audience, accessTokenFormat: format, accessTokenTTL: 900 }),
      },
      revocation: { enabled: true },
      userinfo: { enabled: false },
    },
  };
}

function mayAsk(client, token, issuer) {
  return client === "atoms-api" || (client === "atoms-narrow" && token.aud === `${issuer}/mcp`);
}

/** A resource server has no grants, but the peer wants a client to have one. */
function metadata({ id, secret }) {
  const grants = ["authorization_code", "refresh_token"];
  const common = { client_id: id, response_types: ["code"], redirect_uris: ["http://127.0.0.1/callback"], application_type: "native" };
  if (!secret) return { ...common, token_endpoint_auth_method: "none", grant_types: grants };
  const confidential = { ...common, client_secret: secret, token_endpoint_auth_method: "client_secret_basic" };
  if (id === "atoms-service") return { ...confidential, grant_types: [...grants, "client_credentials"] };
  return { ...confidential, grant_types: grants, introspection_signed_response_alg: "RS256" };
}

async function agree(provider, request, response) {
  const { grantId, prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    await provider.interactionFinished(request, response, { login: { accountId: "ada" } });
    return;
  }
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(" "));
  }
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(" "));
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}
