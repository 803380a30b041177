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

    select string_agg(policyname, ', ') into found
    from (
        values ('user_read', 'SELECT'), ('user_create', 'INSERT'), ('user_change', 'UPDATE'), ('user_delete', 'DELETE')
    ) as expected (policyname, cmd)
    full join (
        select p.policyname::text, p.cmd
        from pg_policies as p
        where p.schemaname = 'app' and p.tablename = 'workspaces' and p.roles = '{authenticated}'
    ) as actual using (policyname, cmd)
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
        (values ('INSERT', array['id', 'organization_id', 'name', 'description']), ('UPDATE', array['name', 'description']))
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
