do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array['app.organizations', 'app.memberships']) as name
    left join pg_class on oid = to_regclass(name)
    where oid is null or not relrowsecurity or not relforcerowsecurity
        or pg_get_userbyid(relowner) <> 'atoms_owner';
    if found is not null then
        raise exception '0002_tenancy: missing, without forced row security or of another owner: %', found;
    end if;

    -- All policies, whoever they are for: one more of them, or another condition, lets people in.
    -- Conditions read as Postgres prints them without a search path.
    perform set_config('search_path', 'pg_catalog', true);
    select string_agg(distinct format('%s.%s', tablename, policyname), ', ') into found
    from (
        values
            -- (table, policy, kind, roles, command, using, with check)
            ('organizations', 'owner_all', 'PERMISSIVE', '{atoms_owner}', 'ALL', 'true', 'true'),
            ('organizations', 'user_read', 'PERMISSIVE', '{authenticated}', 'SELECT',
                '(id IN ( SELECT app.organizations_of_user(''viewer''::text) AS organizations_of_user))',
                ''),
            ('memberships', 'owner_all', 'PERMISSIVE', '{atoms_owner}', 'ALL', 'true', 'true'),
            ('memberships', 'user_read', 'PERMISSIVE', '{authenticated}', 'SELECT',
                '(organization_id IN ( SELECT app.organizations_of_user(''viewer''::text) AS organizations_of_user))',
                '')
    ) as expected (tablename, policyname, permissive, roles, cmd, qual, with_check)
    full join (
        select p.tablename::text, p.policyname::text, p.permissive, p.roles::text, p.cmd,
            coalesce(p.qual, ''), coalesce(p.with_check, '')
        from pg_policies as p
        where p.schemaname = 'app' and p.tablename in ('organizations', 'memberships')
    ) as actual (tablename, policyname, permissive, roles, cmd, qual, with_check)
        using (tablename, policyname, permissive, roles, cmd, qual, with_check)
    where expected is null or actual is null;
    if found is not null then
        raise exception '0002_tenancy: policies differ: %', found;
    end if;

    if not exists (
        select from pg_proc
        where oid = to_regprocedure('app.organizations_of_user(text)') and prosecdef and provolatile = 's'
            and has_function_privilege('authenticated', oid, 'execute')
    ) then
        raise exception '0002_tenancy: organizations_of_user is missing, not security definer or not granted';
    end if;

    select string_agg(format('%s %s %s', role, privilege, name), ', ') into found
    from unnest(array['authenticated', 'atoms_service']) as role,
        unnest(array['app.organizations', 'app.memberships']) as name,
        unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
    where has_table_privilege(role, name, privilege) <> (role = 'authenticated' and privilege = 'SELECT');
    if found is not null then
        raise exception '0002_tenancy: grants differ: %', found;
    end if;
end
$$;
