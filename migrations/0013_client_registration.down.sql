set role atoms_owner;

do $$
begin
    -- The owner is under row-level security, too, and would see no row.
    alter table app.oauth_clients no force row level security;
    -- Nobody could tell any more what they are.
    delete from app.oauth_clients where origin = 'dynamic' or auth_method = 'private_key_jwt';
    alter table app.oauth_clients force row level security;
end
$$;

revoke delete on app.oauth_clients from atoms_service;

drop policy service_forget on app.oauth_clients;

drop index app.oauth_clients_expiring;

alter table app.oauth_clients
    drop constraint oauth_clients_registration_origin,
    drop constraint oauth_clients_dynamic_bounds,
    drop constraint oauth_clients_keys_method,
    drop constraint oauth_clients_secret_hashes_method,
    drop constraint oauth_clients_auth_method_kind,
    drop column expires_at,
    drop column registration_hash,
    drop column origin,
    drop column require_pushed,
    drop column dpop_bound,
    drop column software_id,
    drop column logo_uri,
    drop column client_uri,
    drop column jwks_uri,
    drop column jwks,
    drop column auth_method,
    drop column redirect_uris,
    add constraint oauth_clients_secret_hashes_kind
        check ((kind = 'confidential') = (cardinality(secret_hashes) > 0));

reset role;
