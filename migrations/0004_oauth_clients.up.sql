-- OAuth clients. Only the service reads and registers them; it disables rather than deletes.

set role atoms_owner;

create table app.oauth_clients (
    client_id text primary key
        constraint oauth_clients_client_id_length check (char_length(client_id) between 1 and 200),
    name text not null
        constraint oauth_clients_name_length check (char_length(name) <= 200 and btrim(name) <> ''),
    kind text not null
        constraint oauth_clients_kind_known check (kind in ('public', 'confidential')),
    -- Of the secrets in force; several while one is being replaced. Never the secrets themselves.
    secret_hashes text[] not null default '{}'
        constraint oauth_clients_secret_hashes_kind
        check ((kind = 'confidential') = (cardinality(secret_hashes) > 0)),
    first_party boolean not null default false,
    scopes text[] not null default '{}',
    grant_types text[] not null default '{}',
    -- Audiences whose tokens it may introspect, '*' for any.
    introspect_audiences text[] not null default '{}'
        constraint oauth_clients_introspect_audiences_kind
        check (kind = 'confidential' or cardinality(introspect_audiences) = 0),
    disabled boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create trigger touch before update on app.oauth_clients
    for each row execute function app.touch();

alter table app.oauth_clients enable row level security;
alter table app.oauth_clients force row level security;

create policy service_read on app.oauth_clients for select to atoms_service using (true);
create policy service_register on app.oauth_clients for insert to atoms_service with check (true);
create policy service_change on app.oauth_clients for update to atoms_service
    using (true) with check (true);

grant select, insert, update on app.oauth_clients to atoms_service;

reset role;
