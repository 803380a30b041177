-- What clients register of themselves (RFC 7591), and those that did so without anybody's help. Such a
-- registration ends when nobody has used it for long; then the service deletes it, and nothing else.

set role atoms_owner;

alter table app.oauth_clients
    drop constraint oauth_clients_secret_hashes_kind,
    add column redirect_uris text[] not null default '{}'
        constraint oauth_clients_redirect_uris_count
        check (cardinality(redirect_uris) <= 50 and array_position(redirect_uris, null) is null),
    -- The one way in which it authenticates; null for clients of before there was a choice.
    add column auth_method text
        constraint oauth_clients_auth_method_known check (auth_method in (
            'none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'
        )),
    add column jwks jsonb
        constraint oauth_clients_jwks_object check (jsonb_typeof(jwks) = 'object'),
    add column jwks_uri text,
    add column client_uri text,
    add column logo_uri text,
    add column software_id text,
    add column dpop_bound boolean not null default false,
    add column require_pushed boolean not null default false,
    add column origin text not null default 'registered'
        constraint oauth_clients_origin_known check (origin in ('registered', 'dynamic')),
    -- Of the token by which it manages its registration (RFC 7592). Never the token itself.
    add column registration_hash text,
    add column expires_at timestamptz,
    add constraint oauth_clients_auth_method_kind
        check (auth_method is null or (auth_method = 'none') = (kind = 'public')),
    add constraint oauth_clients_secret_hashes_method check (
        (cardinality(secret_hashes) > 0)
            = (kind = 'confidential' and auth_method is distinct from 'private_key_jwt')
    ),
    add constraint oauth_clients_keys_method
        check (num_nonnulls(jwks, jwks_uri) = (auth_method is not distinct from 'private_key_jwt')::integer),
    -- Whoever registers without us gets nothing that only we may give.
    add constraint oauth_clients_dynamic_bounds check (
        origin <> 'dynamic'
        or (expires_at is not null and registration_hash is not null and not first_party
            and cardinality(introspect_audiences) = 0)
    ),
    add constraint oauth_clients_registration_origin
        check (registration_hash is null or origin = 'dynamic');

create index oauth_clients_expiring on app.oauth_clients (expires_at) where origin = 'dynamic';

create policy service_forget on app.oauth_clients for delete to atoms_service
    using (origin = 'dynamic' and expires_at < now());

grant delete on app.oauth_clients to atoms_service;

reset role;
