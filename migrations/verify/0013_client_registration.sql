do $$
declare
    found text;
begin
    -- All policies, whoever they are for: one more of them, or another condition, lets people in.
    -- Conditions read as Postgres prints them without a search path.
    perform set_config('search_path', 'pg_catalog', true);
    select string_agg(distinct format('%s.%s', tablename, policyname), ', ') into found
    from (
        values
            -- (table, policy, kind, roles, command, using, with check)
            ('oauth_clients', 'service_change', 'PERMISSIVE', '{atoms_service}', 'UPDATE', 'true', 'true'),
            ('oauth_clients', 'service_forget', 'PERMISSIVE', '{atoms_service}', 'DELETE',
                '((origin = ''dynamic''::text) AND (expires_at < now()))', ''),
            ('oauth_clients', 'service_read', 'PERMISSIVE', '{atoms_service}', 'SELECT', 'true', ''),
            ('oauth_clients', 'service_register', 'PERMISSIVE', '{atoms_service}', 'INSERT', '', 'true')
    ) as expected (tablename, policyname, permissive, roles, cmd, qual, with_check)
    full join (
        select p.tablename::text, p.policyname::text, p.permissive, p.roles::text, p.cmd,
            coalesce(p.qual, ''), coalesce(p.with_check, '')
        from pg_policies as p
        where p.schemaname = 'app' and p.tablename = 'oauth_clients'
    ) as actual (tablename, policyname, permissive, roles, cmd, qual, with_check)
        using (tablename, policyname, permissive, roles, cmd, qual, with_check)
    where expected is null or actual is null;
    if found is not null then
        raise exception '0013_client_registration: policies differ: %', found;
    end if;

    select string_agg(format('%s %s', role, privilege), ', ') into found
    from unnest(array['authenticated', 'atoms_service']) as role,
        unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
    where has_table_privilege(role, 'app.oauth_clients', privilege)
        <> (role = 'atoms_service' and privilege in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'));
    if found is not null then
        raise exception '0013_client_registration: grants differ: %', found;
    end if;

    if has_any_column_privilege('authenticated', 'app.oauth_clients', 'SELECT') then
        raise exception '0013_client_registration: authenticated may read a column';
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'oauth_clients_auth_method_kind', 'oauth_clients_auth_method_known',
        'oauth_clients_dynamic_bounds', 'oauth_clients_jwks_object', 'oauth_clients_keys_method',
        'oauth_clients_origin_known', 'oauth_clients_redirect_uris_count',
        'oauth_clients_registration_origin', 'oauth_clients_secret_hashes_method'
    ]) as name
    where not exists (
        select from pg_constraint
        where conrelid = to_regclass('app.oauth_clients') and conname = name and convalidated
    );
    if found is not null then
        raise exception '0013_client_registration: constraints are missing: %', found;
    end if;

    if to_regclass('app.oauth_clients_expiring') is null then
        raise exception '0013_client_registration: the index of what expires is missing';
    end if;
end
$$;
