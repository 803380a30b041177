-- Workspaces of an organization: viewers read, members create and change, admins delete.

set role atoms_owner;

create table app.workspaces (
    id uuid primary key,
    organization_id uuid not null references app.organizations (id) on delete cascade,
    name text not null
        constraint workspaces_name_length check (char_length(name) <= 200 and btrim(name) <> ''),
    description text
        constraint workspaces_description_length check (char_length(description) <= 4000),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1
);

-- Lists are read by organization in the order of ids.
create index workspaces_organization_id on app.workspaces (organization_id, id);

create trigger next_version before update on app.workspaces
    for each row execute function app.next_version();

alter table app.workspaces enable row level security;
alter table app.workspaces force row level security;

create policy user_read on app.workspaces for select to authenticated
    using (organization_id in (select app.organizations_of_user('viewer')));
create policy user_create on app.workspaces for insert to authenticated
    with check (
        organization_id in (select app.organizations_of_user('member'))
        and created_by = (select app.user_id())
    );
create policy user_change on app.workspaces for update to authenticated
    using (organization_id in (select app.organizations_of_user('member')))
    with check (organization_id in (select app.organizations_of_user('member')));
create policy user_delete on app.workspaces for delete to authenticated
    using (organization_id in (select app.organizations_of_user('admin')));

-- By column: who made it, when, and the version are ours to say.
grant select, delete on app.workspaces to authenticated;
grant insert (id, organization_id, name, description) on app.workspaces to authenticated;
grant update (name, description) on app.workspaces to authenticated;

reset role;
