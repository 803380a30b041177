-- What the tables of the model have in common: keys, who changed what and when, deletion that can be
-- undone, and the one function by which row-level security asks about roles.

set role atoms_owner;

-- UUID of version 7 (RFC 9562, section 5.7): keys sort in the order in which they were made.
create function app.new_id() returns uuid
    language sql volatile parallel safe
    set search_path = pg_catalog, pg_temp
    return encode(
        set_bit(set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                from 1 for 6
            ),
            -- A random UUID says version 4; these two bits make it 7.
            52, 1), 53, 1),
        'hex')::uuid;

-- The organizations where the caller has at least this role; none without claims. Policies compare with
-- `(select app.organization_ids(...))`: it does not depend on the row, so that a statement evaluates it
-- once, and an array can be looked up in an index.
-- PL/pgSQL keeps the plan for the connection, which halves the time.
create function app.organization_ids(min_role text) returns uuid[]
    language plpgsql stable security definer parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce((
        select array_agg(m.organization_id)
        from app.memberships as m
        where m.user_id = (select app.user_id())
            and app.role_rank(m.role) >= (select app.role_rank(min_role))
    ), '{}');
end
$$;

-- The same for one organization, for triggers.
create function app.has_role(p_organization_id uuid, p_min_role text) returns boolean
    language plpgsql stable security definer parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select from app.memberships as m
        where m.organization_id = p_organization_id and m.user_id = (select app.user_id())
            and app.role_rank(m.role) >= app.role_rank(p_min_role)
    );
end
$$;

-- The trigger of every change: the next version, when and by whom. A move of the workspace to another
-- organization is a change of the workspace alone.
create function app.stamp() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if new.organization_id <> old.organization_id and tg_table_name <> 'workspaces' then
        return new;
    end if;
    new.version := old.version + 1;
    new.updated_at := now();
    new.updated_by := coalesce(app.user_id(), old.updated_by);
    return new;
end
$$;

-- The trigger of deletions that can be undone: a change of deleted_at. Its argument is the role that
-- this takes. The moment is ours to say, and stands until the row is restored.
create function app.stamp_deletion() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (new.deleted_at is null) = (old.deleted_at is null) then
        new.deleted_at := old.deleted_at;
        new.deleted_with := old.deleted_with;
        return new;
    end if;
    if not app.has_role(new.organization_id, tg_argv[0]) then
        raise exception 'to delete or restore in % takes the role %', tg_table_name, tg_argv[0]
            using errcode = '42501';
    end if;
    if new.deleted_at is null then
        new.deleted_by := null;
        new.deleted_with := null;
    else
        new.deleted_at := now();
        new.deleted_by := app.user_id();
    end if;
    return new;
end
$$;

-- The trigger of rows inside of others (arguments: the table of the parent, the column that names it):
-- nothing is added to or restored in what is deleted. The lock makes it wait for a deletion that is
-- under way. Another organization's parent is no parent, whether there is one or not.
create function app.require_live() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_parent uuid;
    v_live boolean;
begin
    execute format('select ($1).%I', tg_argv[1]) into v_parent using new;
    if v_parent is null then
        return new;
    end if;
    if not app.has_role(new.organization_id, 'viewer') then
        raise exception 'no role in the organization' using errcode = '42501';
    end if;
    execute format(
        'select true from app.%I where id = $1 and organization_id = $2 and deleted_at is null for share',
        tg_argv[0]
    ) into v_live using v_parent, new.organization_id;
    if v_live is null then
        raise exception '% names nothing that is there', tg_argv[1]
            using errcode = '23514', table = tg_table_name, column = tg_argv[1],
                constraint = format('%s_%s_live', tg_table_name, tg_argv[1]);
    end if;
    return new;
end
$$;

-- The trigger of rows with others inside (arguments: table, column, table, column ...): what is live in
-- them is deleted with them and restored with them, and what was deleted before stays so.
create function app.delete_within() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    for i in 0 .. tg_nargs - 2 by 2 loop
        if new.deleted_at is null then
            execute format(
                'update app.%I set deleted_at = null where %I = $1 and deleted_with = $1',
                tg_argv[i], tg_argv[i + 1]
            ) using new.id;
        else
            execute format(
                'update app.%I set deleted_at = now(), deleted_with = $1 where %I = $1 and deleted_at is null',
                tg_argv[i], tg_argv[i + 1]
            ) using new.id;
        end if;
    end loop;
    return null;
end
$$;

revoke execute on function app.new_id(), app.organization_ids(text), app.has_role(uuid, text),
    app.stamp(), app.stamp_deletion(), app.require_live(), app.delete_within() from public;
grant execute on function app.new_id(), app.organization_ids(text), app.has_role(uuid, text)
    to authenticated;
-- What the service adds and changes has the same defaults and triggers.
grant execute on function app.new_id(), app.user_id() to atoms_service;

reset role;
