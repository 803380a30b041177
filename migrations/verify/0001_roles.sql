do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array['authenticator', 'authenticated', 'atoms_service', 'atoms_owner']) as name
    left join pg_roles on rolname = name
    where rolname is null or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication;
    if found is not null then
        raise exception '0001_roles: missing or too powerful: %', found;
    end if;

    if exists (select from pg_roles where rolname = 'authenticator' and (rolinherit or not rolcanlogin)) then
        raise exception '0001_roles: authenticator must be login and noinherit';
    end if;
    if exists (select from pg_roles where rolname = 'atoms_owner' and rolcanlogin) then
        raise exception '0001_roles: atoms_owner must be nologin';
    end if;

    if not pg_has_role('authenticator', 'authenticated', 'member')
        or not pg_has_role('authenticator', 'atoms_service', 'member') then
        raise exception '0001_roles: authenticator cannot become authenticated and atoms_service';
    end if;
    if pg_has_role('authenticator', 'atoms_owner', 'member')
        or pg_has_role('authenticated', 'atoms_service', 'member')
        or pg_has_role('atoms_service', 'authenticated', 'member') then
        raise exception '0001_roles: a role is a member of one that it must not reach';
    end if;

    if to_regnamespace('app') is null
        or (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'app') <> 'atoms_owner' then
        raise exception '0001_roles: schema app is missing or not owned by atoms_owner';
    end if;
    if not has_schema_privilege('authenticated', 'app', 'usage')
        or not has_schema_privilege('atoms_service', 'app', 'usage')
        or has_schema_privilege('authenticator', 'app', 'usage')
        or has_schema_privilege('authenticated', 'app', 'create')
        or has_schema_privilege('atoms_service', 'app', 'create') then
        raise exception '0001_roles: wrong grants on schema app';
    end if;

    select string_agg(name, ', ') into found
    from unnest(array['app.user_id()', 'app.role_rank(text)', 'app.next_version()', 'app.touch()']) as name
    where to_regprocedure(name) is null;
    if found is not null then
        raise exception '0001_roles: missing functions: %', found;
    end if;

    -- Holds for the functions of later migrations, too. A null ACL means the default: everyone.
    select string_agg(oid::regprocedure::text, ', ') into found
    from pg_proc
    where pronamespace = 'app'::regnamespace
        and (
            proacl is null
            or exists (select from aclexplode(proacl) where grantee = 0)
            or pg_get_userbyid(proowner) <> 'atoms_owner'
            or not exists (select from unnest(proconfig) as setting where setting like 'search_path=%')
        );
    if found is not null then
        raise exception '0001_roles: executable by everyone, without a search path or of another owner: %', found;
    end if;
end
$$;
