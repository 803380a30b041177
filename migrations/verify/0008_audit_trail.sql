do $$
declare
    retain regprocedure := to_regprocedure('app.audit_retain(jsonb, timestamp with time zone)');
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array['audit_events', 'audit_heads', 'audit_checkpoints']) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0008_audit_trail: missing, without forced row security or of another owner: %', found;
    end if;

    -- All policies, whoever they are for: one more of them, or another condition, lets people in.
    -- Conditions read as Postgres prints them without a search path.
    perform set_config('search_path', 'pg_catalog', true);
    select string_agg(distinct format('%s.%s', tablename, policyname), ', ') into found
    from (
        values
            -- (table, policy, kind, roles, command, using, with check)
            ('audit_events', 'service_add', 'PERMISSIVE', '{atoms_service}', 'INSERT', '', 'true'),
            ('audit_events', 'service_read', 'PERMISSIVE', '{atoms_service}', 'SELECT', 'true', ''),
            ('audit_events', 'user_read', 'PERMISSIVE', '{authenticated}', 'SELECT',
                '(subject = ( SELECT app.user_id() AS user_id))', ''),
            ('audit_events', 'owner_read', 'PERMISSIVE', '{atoms_owner}', 'SELECT', 'true', ''),
            ('audit_events', 'owner_delete', 'PERMISSIVE', '{atoms_owner}', 'DELETE', 'true', ''),
            ('audit_heads', 'service_read', 'PERMISSIVE', '{atoms_service}', 'SELECT', 'true', ''),
            ('audit_heads', 'service_add', 'PERMISSIVE', '{atoms_service}', 'INSERT', '', 'true'),
            ('audit_heads', 'service_move', 'PERMISSIVE', '{atoms_service}', 'UPDATE', 'true', 'true'),
            ('audit_checkpoints', 'service_read', 'PERMISSIVE', '{atoms_service}', 'SELECT', 'true', ''),
            ('audit_checkpoints', 'owner_add', 'PERMISSIVE', '{atoms_owner}', 'INSERT', '', 'true')
    ) as expected (tablename, policyname, permissive, roles, cmd, qual, with_check)
    full join (
        select p.tablename::text, p.policyname::text, p.permissive, p.roles::text, p.cmd,
            coalesce(p.qual, ''), coalesce(p.with_check, '')
        from pg_policies as p
        where p.schemaname = 'app' and p.tablename like 'audit\_%'
    ) as actual (tablename, policyname, permissive, roles, cmd, qual, with_check)
        using (tablename, policyname, permissive, roles, cmd, qual, with_check)
    where expected is null or actual is null;
    if found is not null then
        raise exception '0008_audit_trail: policies differ: %', found;
    end if;

    select string_agg(format('%s %s on %s', role, privilege, name), ', ') into found
    from unnest(array['authenticated', 'atoms_service']) as role,
        unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege,
        unnest(array['audit_events', 'audit_heads', 'audit_checkpoints']) as name
    where has_table_privilege(role, 'app.' || name, privilege)
        <> (role = 'atoms_service' and (
            privilege = 'SELECT'
            or privilege = 'INSERT' and name <> 'audit_checkpoints'
            or privilege = 'UPDATE' and name = 'audit_heads'
        ));
    if found is not null then
        raise exception '0008_audit_trail: grants differ: %', found;
    end if;

    if has_any_column_privilege('authenticated', 'app.audit_events', 'INSERT')
        or has_any_column_privilege('authenticated', 'app.audit_events', 'UPDATE')
        or has_any_column_privilege('atoms_service', 'app.audit_events', 'UPDATE')
        or has_any_column_privilege('authenticated', 'app.audit_heads', 'SELECT')
        or has_any_column_privilege('authenticated', 'app.audit_checkpoints', 'SELECT')
        or has_any_column_privilege('atoms_service', 'app.audit_checkpoints', 'INSERT') then
        raise exception '0008_audit_trail: a column may be read, added or changed';
    end if;

    select string_agg(attname, ', ') into found
    from pg_attribute
    where attrelid = 'app.audit_events'::regclass and attnum > 0 and not attisdropped
        and has_column_privilege('authenticated', attrelid, attnum, 'SELECT')
            = (attname in ('ledger', 'prev', 'seal', 'key_id', 'event', 'delivered_at'));
    if found is not null then
        raise exception '0008_audit_trail: people see other columns: %', found;
    end if;

    if not exists (
        select from pg_trigger
        where tgrelid = 'app.audit_heads'::regclass and tgname = 'forward' and tgenabled = 'O'
    ) then
        raise exception '0008_audit_trail: heads may go back';
    end if;

    if retain is null or not (select prosecdef from pg_proc where oid = retain) then
        raise exception '0008_audit_trail: audit_retain is missing or not security definer';
    end if;
    if not has_function_privilege('atoms_service', retain, 'execute')
        or has_function_privilege('authenticated', retain, 'execute')
        or has_function_privilege('authenticator', retain, 'execute') then
        raise exception '0008_audit_trail: wrong grants on audit_retain';
    end if;
end
$$;
