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

    -- (table, policy, command, roles)
    select string_agg(format('%s.%s', tablename, policyname), ', ') into found
    from (
        values
            ('organizations', 'owner_all', 'ALL', '{atoms_owner}'),
            ('organizations', 'user_read', 'SELECT', '{authenticated}'),
            ('memberships', 'owner_all', 'ALL', '{atoms_owner}'),
            ('memberships', 'user_read', 'SELECT', '{authenticated}')
    ) as expected (tablename, policyname, cmd, roles)
    full join (
        select p.tablename::text, p.policyname::text, p.cmd, p.roles::text
        from pg_policies as p
        where p.schemaname = 'app' and p.tablename in ('organizations', 'memberships')
    ) as actual using (tablename, policyname, cmd, roles)
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
