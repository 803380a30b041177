-- The only way by which organizations and memberships come into being: at sign-in, from what
-- WorkOS says.

set role atoms_owner;

-- Makes sure that the organization and the user's membership exist. Without a WorkOS organization
-- it is the user's personal one, of which the user is the owner. In a WorkOS organization the role
-- follows WorkOS; an unknown role is member; no role keeps the one that there is. The id is used
-- if the organization is new.
--
-- Two at the same time: the second insert waits for the first one's end and then finds its row.
create function app.provision_member(
    p_user_id text,
    p_workos_organization_id text,
    p_workos_role text,
    p_new_organization_id uuid
) returns table (organization_id uuid, role text)
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_organization_id uuid;
    v_role text;
begin
    if p_workos_organization_id is null then
        insert into app.organizations (id, personal_user_id, name)
        values (p_new_organization_id, p_user_id, 'Personal')
        on conflict (personal_user_id) do nothing;

        select o.id into strict v_organization_id
        from app.organizations as o where o.personal_user_id = p_user_id;

        insert into app.memberships (organization_id, user_id, role)
        values (v_organization_id, p_user_id, 'owner')
        on conflict (organization_id, user_id) do nothing;
    else
        -- Its id serves as name until somebody gives it one.
        insert into app.organizations (id, workos_organization_id, name)
        values (p_new_organization_id, p_workos_organization_id, p_workos_organization_id)
        on conflict (workos_organization_id) do nothing;

        select o.id into strict v_organization_id
        from app.organizations as o where o.workos_organization_id = p_workos_organization_id;

        v_role := case
            when app.role_rank(lower(p_workos_role)) is null then 'member'
            else lower(p_workos_role)
        end;
        insert into app.memberships as m (organization_id, user_id, role)
        values (v_organization_id, p_user_id, v_role)
        on conflict (organization_id, user_id) do update set role = excluded.role
        where m.role <> excluded.role and p_workos_role is not null;
    end if;

    return query
    select m.organization_id, m.role
    from app.memberships as m
    where m.organization_id = v_organization_id and m.user_id = p_user_id;
end
$$;

revoke execute on function app.provision_member(text, text, text, uuid) from public;
grant execute on function app.provision_member(text, text, text, uuid) to atoms_service;

reset role;
