do $$
declare
    found text;
begin
    if not exists (
        select from pg_class
        where oid = to_regclass('app.oauth_clients') and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    ) then
        raise exception '0004_oauth_clients: missing, without forced row security or of another owner';
    end if;

    select string_agg(policyname, ', ') into found
    from (values ('service_read', 'SELECT'), ('service_register', 'INSERT'), ('service_change', 'UPDATE'))
        as expected (policyname, cmd)
    full join (
        select p.policyname::text, p.cmd
        from pg_policies as p
        where p.schemaname = 'app' and p.tablename = 'oauth_clients' and p.roles = '{atoms_service}'
    ) as actual using (policyname, cmd)
    where expected is null or actual is null;
    if found is not null then
        raise exception '0004_oauth_clients: policies differ: %', found;
    end if;

    select string_agg(format('%s %s', role, privilege), ', ') into found
    from unnest(array['authenticated', 'atoms_service']) as role,
        unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
    where has_table_privilege(role, 'app.oauth_clients', privilege)
        <> (role = 'atoms_service' and privilege in ('SELECT', 'INSERT', 'UPDATE'));
    if found is not null then
        raise exception '0004_oauth_clients: grants differ: %', found;
    end if;

    if has_any_column_privilege('authenticated', 'app.oauth_clients', 'SELECT') then
        raise exception '0004_oauth_clients: authenticated may read a column';
    end if;
end
$$;
