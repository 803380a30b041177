do $$
declare
    found text;
begin
    if not exists (
        select from pg_class
        where oid = to_regclass('app.ledgers') and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    ) then
        raise exception '0007_ledgers: missing, without forced row security or of another owner';
    end if;

    -- All policies, whoever they are for: one more of them, or another condition, lets people in.
    -- Conditions read as Postgres prints them without a search path.
    perform set_config('search_path', 'pg_catalog', true);
    select string_agg(distinct format('%s.%s', tablename, policyname), ', ') into found
    from (
        values
            -- (table, policy, kind, roles, command, using, with check)
            ('ledgers', 'service_add', 'PERMISSIVE', '{atoms_service}', 'INSERT', '', 'true'),
            ('ledgers', 'service_change', 'PERMISSIVE', '{atoms_service}', 'UPDATE', 'true', 'true'),
            ('ledgers', 'service_read', 'PERMISSIVE', '{atoms_service}', 'SELECT', 'true', ''),
            ('ledgers', 'service_remove', 'PERMISSIVE', '{atoms_service}', 'DELETE', 'true', '')
    ) as expected (tablename, policyname, permissive, roles, cmd, qual, with_check)
    full join (
        select p.tablename::text, p.policyname::text, p.permissive, p.roles::text, p.cmd,
            coalesce(p.qual, ''), coalesce(p.with_check, '')
        from pg_policies as p
        where p.schemaname = 'app' and p.tablename = 'ledgers'
    ) as actual (tablename, policyname, permissive, roles, cmd, qual, with_check)
        using (tablename, policyname, permissive, roles, cmd, qual, with_check)
    where expected is null or actual is null;
    if found is not null then
        raise exception '0007_ledgers: policies differ: %', found;
    end if;

    select string_agg(format('%s %s', role, privilege), ', ') into found
    from unnest(array['authenticated', 'atoms_service']) as role,
        unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
    where has_table_privilege(role, 'app.ledgers', privilege)
        <> (role = 'atoms_service' and privilege in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'));
    if found is not null then
        raise exception '0007_ledgers: grants differ: %', found;
    end if;

    if has_any_column_privilege('authenticated', 'app.ledgers', 'SELECT') then
        raise exception '0007_ledgers: authenticated may read a column';
    end if;
end
$$;
