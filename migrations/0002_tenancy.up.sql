-- Organizations and who belongs to them. Written only by app.provision_member.

set role atoms_owner;

create table app.organizations (
    id uuid primary key,
    -- At most one is set: an organization of WorkOS, or a user's personal one.
    workos_organization_id text unique
        constraint organizations_workos_organization_id_length
        check (char_length(workos_organization_id) between 1 and 255),
    personal_user_id text unique
        constraint organizations_personal_user_id_length
        check (char_length(personal_user_id) between 1 and 255),
    name text not null
        constraint organizations_name_length
        check (char_length(name) <= 255 and btrim(name) <> ''),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint organizations_one_origin
        check (workos_organization_id is null or personal_user_id is null)
);

create table app.memberships (
    organization_id uuid not null references app.organizations (id) on delete cascade,
    user_id text not null
        constraint memberships_user_id_length check (char_length(user_id) between 1 and 255),
    role text not null
        constraint memberships_role_known check (role in ('owner', 'admin', 'member', 'viewer')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, user_id)
);

create index memberships_user_id on app.memberships (user_id, organization_id);

create trigger touch before update on app.organizations
    for each row execute function app.touch();
create trigger touch before update on app.memberships
    for each row execute function app.touch();

-- Forced: the owner is under row-level security, too.
alter table app.organizations enable row level security;
alter table app.organizations force row level security;
alter table app.memberships enable row level security;
alter table app.memberships force row level security;

-- The security-definer functions run as the owner and see all.
create policy owner_all on app.organizations to atoms_owner using (true) with check (true);
create policy owner_all on app.memberships to atoms_owner using (true) with check (true);

-- The organizations where the caller has at least this role. Policies ask through this function: one
-- that read memberships itself would be judged by the policies of memberships, without end. It does
-- not depend on the row, so a policy evaluates it once for each statement.
create function app.organizations_of_user(min_role text) returns setof uuid
    language sql stable security definer parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select m.organization_id
    from app.memberships as m
    where m.user_id = app.user_id() and app.role_rank(m.role) >= app.role_rank(min_role);
end;

revoke execute on function app.organizations_of_user(text) from public;
grant execute on function app.organizations_of_user(text) to authenticated;

create policy user_read on app.organizations for select to authenticated
    using (id in (select app.organizations_of_user('viewer')));
create policy user_read on app.memberships for select to authenticated
    using (organization_id in (select app.organizations_of_user('viewer')));

grant select on app.organizations, app.memberships to authenticated;

reset role;
