-- The move of a workspace from one organization to another.

set role atoms_owner;

-- Takes the role admin in both. Everything in the workspace goes with it, but for what would tie the two
-- organizations together: relationships to people who are not in the new one, and the old one's webhook
-- endpoints. The history stays where it happened. Returns the new version; null if somebody else has
-- changed the workspace since, or deleted it.
create function app.move_workspace(p_workspace_id uuid, p_organization_id uuid, p_version bigint)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_version bigint;
begin
    select case when w.deleted_at is null then w.version end into v_version from app.workspaces as w
    where w.id = p_workspace_id and w.organization_id = any (app.organization_ids('admin'))
    for update;
    if not found or not app.has_role(p_organization_id, 'admin') then
        raise exception 'to move a workspace takes the role admin in both organizations'
            using errcode = '42501';
    end if;
    if v_version is distinct from p_version then
        return null;
    end if;
    delete from app.relationships as r
    where r.workspace_id = p_workspace_id and r.target_user_id is not null and not exists (
        select from app.memberships as m
        where m.organization_id = p_organization_id and m.user_id = r.target_user_id
    );
    delete from app.webhook_endpoints as e where e.workspace_id = p_workspace_id;
    update app.workspaces as w set organization_id = p_organization_id
    where w.id = p_workspace_id
    returning w.version into v_version;
    return v_version;
end
$$;

revoke execute on function app.move_workspace(uuid, uuid, bigint) from public;
grant execute on function app.move_workspace(uuid, uuid, bigint) to authenticated;

reset role;
