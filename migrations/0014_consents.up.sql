-- What people have allowed which applications. Each person sees, adds and removes their own; the service
-- acts as the person here, so that row-level security keeps one's answer from counting for another.

set role atoms_owner;

create table app.oauth_consents (
    user_id text not null default app.user_id()
        constraint oauth_consents_user_id_length check (char_length(user_id) between 1 and 255),
    -- No reference: the client may be known by a metadata document alone.
    client_id text not null
        constraint oauth_consents_client_id_length check (char_length(client_id) between 1 and 1000),
    -- As the person saw it when they agreed.
    client_name text not null
        constraint oauth_consents_client_name_length check (char_length(client_name) <= 200),
    -- All that they have agreed to, at once or one after the other.
    scopes text[] not null
        constraint oauth_consents_scopes_count check (cardinality(scopes) <= 100),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (user_id, client_id)
);

create trigger touch before update on app.oauth_consents
    for each row execute function app.touch();

alter table app.oauth_consents enable row level security;
alter table app.oauth_consents force row level security;

create policy user_read on app.oauth_consents for select to authenticated
    using (user_id = (select app.user_id()));
create policy user_agree on app.oauth_consents for insert to authenticated
    with check (user_id = (select app.user_id()));
create policy user_change on app.oauth_consents for update to authenticated
    using (user_id = (select app.user_id()))
    with check (user_id = (select app.user_id()));
create policy user_withdraw on app.oauth_consents for delete to authenticated
    using (user_id = (select app.user_id()));

-- By column: whose it is and when it was given are not for a statement to say.
grant select, delete on app.oauth_consents to authenticated;
grant insert (client_id, client_name, scopes) on app.oauth_consents to authenticated;
grant update (client_name, scopes) on app.oauth_consents to authenticated;

reset role;
