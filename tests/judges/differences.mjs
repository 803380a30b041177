// Where our revocation and introspection differ from those of oidc-provider, and why. Of what is asked (a list
// of names, or a pattern of names of which at least one differs), in which aspect, ours and theirs.

const ACCESS = ["active", "aud", "client_id", "exp", "iat", "iss", "scope", "sub", "token_type"];
const REFRESH = ["active", "client_id", "exp", "iat", "iss", "scope", "sub"];
const also = (members, ...more) => [...members, ...more].sort();

const GROUPS = [
  {
    of: /^introspect: (an? )?(access token|client that may see)/,
    differs: { members: [also(ACCESS, "jti", "org", "roles", "sid"), ACCESS] },
    because: "our tokens speak of a session, an organization and roles in it, and have a name to be revoked by",
  },
  {
    of: ["introspect: refresh token", "introspect: refresh token, wrong hint"],
    differs: { members: [also(REFRESH, "org", "roles", "sid"), REFRESH] },
    because: "our tokens speak of a session, an organization and roles in it",
  },
  {
    of: ["introspect: rotated refresh token"],
    differs: {
      members: [also(REFRESH, "org", "roles", "sid"), ["active"]],
      values: [{ active: true, client_id: "atoms-web", iss: "{issuer}", scope: "atoms:workspace.read atoms:workspace.write" }, { active: false }],
    },
    because: "a replaced refresh token is good for five minutes more, so that a lost answer logs nobody out",
  },
  {
    of: ["introspect: rotated refresh token", "introspect: access token of before a refresh"],
    differs: { refresh: [true, false] },
    because: "a replaced refresh token is good for five minutes more, so that a lost answer logs nobody out",
  },
  {
    of: ["introspect: GET", "revoke: GET"],
    differs: { status: [405, 404], media: ["application/problem+json", "text/plain"] },
    because: "the resource is there, the method is not (RFC 9110 section 15.5.6)",
  },
  {
    of: ["introspect: nobody asks", "revoke: nobody asks", "introspect: malformed Basic", "introspect: Bearer"],
    differs: { status: [401, 400], values: [{ error: "invalid_client" }, { error: "invalid_request" }] },
    because: "who does not authenticate, or in no way that there is, is told so (RFC 6749 section 5.2)",
  },
  {
    of: ["introspect: malformed Basic", "introspect: Bearer"],
    differs: { scheme: ["Basic", ""] },
    because: "an Authorization header was used, so the scheme is told that would do (RFC 6749 section 5.2)",
  },
  {
    of: ["introspect: a public client"],
    differs: {
      status: [401, 200],
      members: [["error", "error_description"], ["active"]],
      values: [{ error: "invalid_client" }, { active: false }],
    },
    because: "introspection needs authorization (RFC 7662 section 2.1), and who only says their name has none",
  },
  {
    of: ["introspect: a client that may not"],
    differs: {
      status: [403, 200],
      members: [["error", "error_description"], ["active"]],
      values: [{ error: "unauthorized_client" }, { active: false }],
    },
    because: "who may ask about no token at all would take every token for dead; one that may not see this token is told inactive",
  },
  {
    of: /^revoke/,
    differs: { stored: ["never", "perhaps"] },
    because: "no answer about a token is to be stored, whatever is in it",
  },
  {
    of: ["introspect: GET"],
    differs: { stored: ["never", "perhaps"] },
    because: "no answer about a token is to be stored, whatever is in it",
  },
  {
    of: /^revoke: (access|refresh|rotated|unknown) /,
    differs: { media: ["application/json", ""] },
    because: "the same endpoint takes many tokens at once and answers for each, so there is a body; clients ignore it (RFC 7009 section 2.2)",
  },
  {
    of: ["revoke: access token", "revoke: access token, wrong hint"],
    differs: { refresh: [true, false] },
    because: "one access token is revoked, not the session; with cascade it would be (RFC 7009 section 2.1 leaves it open)",
  },
  {
    of: ["revoke: another public client", "revoke: another public client, access token"],
    differs: {
      status: [400, 200],
      media: ["application/json", ""],
      members: [["error", "error_description"], []],
      values: [{ error: "invalid_grant" }, {}],
    },
    because: "a request for another client's token is refused and the client informed (RFC 7009 section 2.1)",
  },
  {
    of: ["revoke: another confidential client"],
    differs: { values: [{ error: "invalid_grant" }, { error: "invalid_request" }] },
    because: "the request is well-formed; the token was issued to another client (RFC 6749 section 5.2)",
  },
];

export const DIFFERENCES = GROUPS.flatMap(({ of, differs, because }) =>
  Object.entries(differs).map(([aspect, [ours, theirs]]) => ({ of, aspect, ours, theirs, because })),
);
