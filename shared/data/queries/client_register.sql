insert into app.oauth_clients (
    client_id, name, kind, secret_hashes, first_party,
    scopes, grant_types, introspect_audiences, disabled, policy
)
select
    client_id, name, kind, secret_hashes, first_party,
    scopes, grant_types, introspect_audiences, disabled, policy
from jsonb_to_record($1::jsonb) as record (
    client_id text, name text, kind text, secret_hashes text[], first_party boolean,
    scopes text[], grant_types text[], introspect_audiences text[], disabled boolean, policy jsonb
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
    policy = excluded.policy
