do $$
declare
    found text;
begin
    if not exists (
        select from pg_class
        where oid = to_regclass('app.workspaces') and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    ) then
        raise exception '0003_workspaces: missing, without forced row security or of another owner';
    end if;

    -- All policies, whoever they are for: one more of them, or another condition, lets people in.
    -- Conditions read as Postgres prints them without a search path.
    perform set_config('search_path', 'pg_catalog', true);
    select string_agg(distinct format('%s.%s', tablename, policyname), ', ') into found
    from (
        values
            -- (table, policy, kind, roles, command, using, with check)
            ('workspaces', 'user_change', 'PERMISSIVE', '{authenticated}', 'UPDATE',
                '(organization_id IN ( SELECT app.organizations_of_user(''member''::text) AS organizations_of_user))',
                '(organization_id IN ( SELECT app.organizations_of_user(''member''::text) AS organizations_of_user))'),
            ('workspaces', 'user_create', 'PERMISSIVE', '{authenticated}', 'INSERT',
                '',
                '((organization_id IN ( SELECT app.organizations_of_user(''member''::text) AS organizations_of_user))'
                ' AND (created_by = ( SELECT app.user_id() AS user_id)))'),
            ('workspaces', 'user_delete', 'PERMISSIVE', '{authenticated}', 'DELETE',
                '(organization_id IN ( SELECT app.organizations_of_user(''admin''::text) AS organizations_of_user))',
                ''),
            ('workspaces', 'user_read', 'PERMISSIVE', '{authenticated}', 'SELECT',
                '(organization_id IN ( SELECT app.organizations_of_user(''viewer''::text) AS organizations_of_user))',
                '')
    ) as expected (tablename, policyname, permissive, roles, cmd, qual, with_check)
    full join (
        select p.tablename::text, p.policyname::text, p.permissive, p.roles::text, p.cmd,
            coalesce(p.qual, ''), coalesce(p.with_check, '')
        from pg_policies as p
        -- owner_all is of 0023.
        where p.schemaname = 'app' and p.tablename = 'workspaces' and p.policyname <> 'owner_all'
    ) as actual (tablename, policyname, permissive, roles, cmd, qual, with_check)
        using (tablename, policyname, permissive, roles, cmd, qual, with_check)
    where expected is null or actual is null;
    if found is not null then
        raise exception '0003_workspaces: policies differ: %', found;
    end if;

    select string_agg(format('%s %s', role, privilege), ', ') into found
    from unnest(array['authenticated', 'atoms_service']) as role,
        unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
    where has_table_privilege(role, 'app.workspaces', privilege)
        <> (role = 'authenticated' and privilege in ('SELECT', 'DELETE'));
    if found is not null then
        raise exception '0003_workspaces: grants differ: %', found;
    end if;

    select string_agg(format('%s %s', privilege, attname), ', ') into found
    from pg_attribute,
        (values ('INSERT', array['id', 'organization_id', 'name', 'description']),
        -- The last one is of 0037.
        ('UPDATE', array['name', 'description', 'deleted_at']))
            as granted (privilege, columns)
    where attrelid = 'app.workspaces'::regclass and attnum > 0 and not attisdropped
        and has_column_privilege('authenticated', attrelid, attnum, privilege) <> (attname = any (columns));
    if found is not null then
        raise exception '0003_workspaces: grants on columns differ: %', found;
    end if;

    if not exists (
        select from pg_trigger
        where tgrelid = 'app.workspaces'::regclass and tgname = 'next_version' and tgenabled = 'O'
    ) then
        raise exception '0003_workspaces: trigger next_version is missing';
    end if;
end
$$;
