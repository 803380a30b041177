insert into app.oauth_clients as known (
    client_id, name, kind, secret_hashes, first_party,
    scopes, grant_types, introspect_audiences, disabled, policy,
    redirect_uris, auth_method, jwks, jwks_uri, client_uri, logo_uri, software_id,
    dpop_bound, require_pushed, origin, expires_at, registration_hash
)
select
    client_id, name, kind, secret_hashes, first_party,
    scopes, grant_types, introspect_audiences, disabled, policy,
    redirect_uris, auth_method, jwks, jwks_uri, client_uri, logo_uri, software_id,
    dpop_bound, require_pushed, origin, to_timestamp(expires_at / 1000.0), $2
from jsonb_to_record($1::jsonb) as record (
    client_id text, name text, kind text, secret_hashes text[], first_party boolean,
    scopes text[], grant_types text[], introspect_audiences text[], disabled boolean, policy jsonb,
    redirect_uris text[], auth_method text, jwks jsonb, jwks_uri text, client_uri text, logo_uri text,
    software_id text, dpop_bound boolean, require_pushed boolean, origin text, expires_at bigint
)
on conflict (client_id) do update set
    name = excluded.name,
    kind = excluded.kind,
    secret_hashes = excluded.secret_hashes,
    first_party = excluded.first_party,
    scopes = excluded.scopes,
    grant_types = excluded.grant_types,
    introspect_audiences = excluded.introspect_audiences,
    disabled = excluded.disabled,
    policy = excluded.policy,
    redirect_uris = excluded.redirect_uris,
    auth_method = excluded.auth_method,
    jwks = excluded.jwks,
    jwks_uri = excluded.jwks_uri,
    client_uri = excluded.client_uri,
    logo_uri = excluded.logo_uri,
    software_id = excluded.software_id,
    dpop_bound = excluded.dpop_bound,
    require_pushed = excluded.require_pushed,
    expires_at = excluded.expires_at
-- One that registered itself is its own, and nobody else's.
where known.origin = excluded.origin
    and known.registration_hash is not distinct from excluded.registration_hash
returning client_id
