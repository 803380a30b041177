-- The roles, the schema and what row-level security reads of a request.
--
-- authenticator  the login of our functions: no rights of its own, may become the next two
-- authenticated  people, under row-level security
-- atoms_service  the service itself: clients, audit, provisioning; under row-level security, too
-- atoms_owner    owns the schema; nobody logs in as it, migrations and security-definer functions
--                run as it
--
-- The one who runs the migrations needs CREATEROLE and CREATE on the database, not superuser.
-- Whoever deploys gives authenticator its password (or another way to log in).

do $$
declare
    name text;
begin
    -- Roles belong to the cluster: another database of it may have made them.
    foreach name in array array['atoms_owner', 'authenticated', 'atoms_service'] loop
        if not exists (select from pg_roles where rolname = name) then
            execute format('create role %I nologin', name);
        end if;
    end loop;
    if not exists (select from pg_roles where rolname = 'authenticator') then
        create role authenticator login noinherit;
    end if;

    foreach name in array array['authenticated', 'atoms_service'] loop
        if not pg_has_role('authenticator', name, 'member') then
            execute format('grant %I to authenticator', name);
        end if;
    end loop;

    -- Since Postgres 16 making a role does not imply the right to become it.
    if not pg_has_role(current_user, 'atoms_owner', 'usage') then
        execute format('grant atoms_owner to %I', current_user);
    end if;
end
$$;

create schema app authorization atoms_owner;

set role atoms_owner;

grant usage on schema app to authenticated, atoms_service;

-- Null without claims, and then every comparison in a policy is not true.
create function app.user_id() returns text
    language sql stable parallel safe
    set search_path = pg_catalog, pg_temp
    return nullif(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', ''
    );

-- Rank of a membership's role; null for what is none, so that a misspelt role grants nothing.
create function app.role_rank(role text) returns integer
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
    return case role when 'viewer' then 1 when 'member' then 2 when 'admin' then 3 when 'owner' then 4 end;

-- The trigger of tables with a version.
create function app.next_version() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    new.version := old.version + 1;
    new.updated_at := now();
    return new;
end
$$;

-- The trigger of tables without a version.
create function app.touch() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    new.updated_at := now();
    return new;
end
$$;

revoke execute on function app.user_id(), app.role_rank(text), app.next_version(), app.touch() from public;
grant execute on function app.user_id() to authenticated;

reset role;
