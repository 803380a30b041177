-- Organizations whose people come and go without WorkOS: names, roles, removal, invitations. Memberships
-- are still written by functions alone; each says who may.

set role atoms_owner;

alter table app.organizations
    add column version bigint not null default 1;
create trigger next_version before update on app.organizations
    for each row execute function app.next_version();
create trigger record after insert or update or delete on app.organizations
    for each row execute function app.record_change('organization');
create trigger record after insert or update or delete on app.memberships
    for each row execute function app.record_change('membership');

create table app.invitations (
    id uuid primary key default app.new_id()
        constraint invitations_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null references app.organizations (id) on delete cascade,
    -- For people; who may accept it is said by the token.
    email text not null
        constraint invitations_email_form check (char_length(email) <= 320 and email ~ '^[^@\s]+@[^@\s]+$'),
    role text not null
        constraint invitations_role_known check (role in ('owner', 'admin', 'member', 'viewer')),
    -- SHA-256 of the token, in hex. Never the token itself.
    token_hash text not null
        constraint invitations_token_hash_form check (token_hash ~ '^[0-9a-f]{64}$')
        constraint invitations_token_hash_unique unique,
    expires_at timestamptz not null default now() + interval '7 days',
    accepted_at timestamptz,
    accepted_by text,
    revoked_at timestamptz,
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    constraint invitations_expires_at_range
        check (expires_at > created_at and expires_at <= created_at + interval '30 days'),
    constraint invitations_accepted_whole check ((accepted_at is null) = (accepted_by is null)),
    constraint invitations_one_end check (accepted_at is null or revoked_at is null)
);

create index invitations_organization_id on app.invitations (organization_id, id);
-- One at a time for each address.
create unique index invitations_open on app.invitations (organization_id, lower(email))
    where accepted_at is null and revoked_at is null;

create trigger stamp before update on app.invitations
    for each row execute function app.stamp();
create trigger record after insert or update or delete on app.invitations
    for each row execute function app.record_change('invitation');

-- When somebody said that it is over is ours to say.
create function app.revoke_invitation() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    new.revoked_at := coalesce(old.revoked_at, now());
    return new;
end
$$;
create trigger revoke before update of revoked_at on app.invitations
    for each row execute function app.revoke_invitation();

-- The caller becomes a member. A role that they have already is kept if it is higher. The invitation is
-- used up; whoever comes second waits for the first and then finds none. It is worth what the word of
-- the one who wrote it is worth now: who was removed does not come back by an invitation of their own.
create function app.accept_invitation(p_token_hash text)
    returns table (organization_id uuid, role text)
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user text := app.user_id();
    v_invitation app.invitations;
begin
    if v_user is null then
        raise exception 'nobody accepts the invitation' using errcode = '42501';
    end if;
    update app.invitations as i set accepted_at = now(), accepted_by = v_user
    where i.token_hash = p_token_hash
        and i.accepted_at is null and i.revoked_at is null and i.expires_at > now()
        and exists (
            select from app.memberships as m
            where m.organization_id = i.organization_id and m.user_id = i.created_by
                and app.role_rank(m.role)
                    >= app.role_rank(case i.role when 'owner' then 'owner' else 'admin' end)
        )
    returning i.* into v_invitation;
    if v_invitation.id is null then
        raise exception 'no such invitation' using errcode = 'P0002';
    end if;
    insert into app.memberships as m (organization_id, user_id, role)
    values (v_invitation.organization_id, v_user, v_invitation.role)
    on conflict (organization_id, user_id) do update set role = excluded.role
    where app.role_rank(m.role) < app.role_rank(excluded.role);
    return query
    select m.organization_id, m.role from app.memberships as m
    where m.organization_id = v_invitation.organization_id and m.user_id = v_user;
end
$$;

-- Of two that would leave an organization without an owner, the second waits here for the first.
create function app.require_other_owner(p_organization_id uuid, p_user_id text) returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform from app.memberships as m
    where m.organization_id = p_organization_id and m.role = 'owner' order by m.user_id for update;
    if exists (
        select from app.memberships as m
        where m.organization_id = p_organization_id and m.user_id = p_user_id and m.role = 'owner'
    ) and not exists (
        select from app.memberships as m
        where m.organization_id = p_organization_id and m.user_id <> p_user_id and m.role = 'owner'
    ) then
        raise exception 'an organization keeps an owner'
            using errcode = '23514', table = 'memberships', constraint = 'memberships_owner_kept';
    end if;
end
$$;

-- Admins give roles up to their own; what concerns owners takes an owner.
create function app.change_role(p_organization_id uuid, p_user_id text, p_role text) returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_before text;
begin
    if not app.has_role(p_organization_id, 'admin') then
        raise exception 'to change a role takes the role admin' using errcode = '42501';
    end if;
    select m.role into v_before from app.memberships as m
    where m.organization_id = p_organization_id and m.user_id = p_user_id for update;
    if 'owner' in (p_role, v_before) and not app.has_role(p_organization_id, 'owner') then
        raise exception 'what concerns owners takes the role owner' using errcode = '42501';
    end if;
    if p_role <> 'owner' then
        perform app.require_other_owner(p_organization_id, p_user_id);
    end if;
    update app.memberships as m set role = p_role
    where m.organization_id = p_organization_id and m.user_id = p_user_id;
    return found;
end
$$;

-- Admins remove others, owners remove owners, and everyone may go.
create function app.remove_member(p_organization_id uuid, p_user_id text) returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_role text;
begin
    if p_user_id is distinct from app.user_id() and not app.has_role(p_organization_id, 'admin') then
        raise exception 'to remove a member takes the role admin' using errcode = '42501';
    end if;
    select m.role into v_role from app.memberships as m
    where m.organization_id = p_organization_id and m.user_id = p_user_id for update;
    if v_role = 'owner' and not app.has_role(p_organization_id, 'owner') then
        raise exception 'what concerns owners takes the role owner' using errcode = '42501';
    end if;
    perform app.require_other_owner(p_organization_id, p_user_id);
    delete from app.memberships as m
    where m.organization_id = p_organization_id and m.user_id = p_user_id;
    return found;
end
$$;

create function app.rename_organization(p_organization_id uuid, p_name text, p_version bigint) returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_version bigint;
begin
    if not app.has_role(p_organization_id, 'admin') then
        raise exception 'to rename an organization takes the role admin' using errcode = '42501';
    end if;
    update app.organizations as o set name = p_name
    where o.id = p_organization_id and o.version = p_version
    returning o.version into v_version;
    -- Null: somebody else has changed it since.
    return v_version;
end
$$;

revoke execute on function app.revoke_invitation(), app.accept_invitation(text),
    app.require_other_owner(uuid, text), app.change_role(uuid, text, text),
    app.remove_member(uuid, text), app.rename_organization(uuid, text, bigint) from public;
grant execute on function app.accept_invitation(text), app.change_role(uuid, text, text),
    app.remove_member(uuid, text), app.rename_organization(uuid, text, bigint) to authenticated;

alter table app.invitations enable row level security;
alter table app.invitations force row level security;

create policy owner_all on app.invitations to atoms_owner using (true) with check (true);

reset role;
