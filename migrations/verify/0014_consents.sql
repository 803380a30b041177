do $$
declare
    found text;
begin
    if not exists (
        select from pg_class
        where oid = to_regclass('app.oauth_consents') and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    ) then
        raise exception '0014_consents: missing, without forced row security or of another owner';
    end if;

    -- All policies, whoever they are for: one more of them, or another condition, lets people in.
    -- Conditions read as Postgres prints them without a search path.
    perform set_config('search_path', 'pg_catalog', true);
    select string_agg(distinct format('%s.%s', tablename, policyname), ', ') into found
    from (
        values
            -- (table, policy, kind, roles, command, using, with check)
            ('oauth_consents', 'user_agree', 'PERMISSIVE', '{authenticated}', 'INSERT',
                '', '(user_id = ( SELECT app.user_id() AS user_id))'),
            ('oauth_consents', 'user_change', 'PERMISSIVE', '{authenticated}', 'UPDATE',
                '(user_id = ( SELECT app.user_id() AS user_id))', '(user_id = ( SELECT app.user_id() AS user_id))'),
            ('oauth_consents', 'user_read', 'PERMISSIVE', '{authenticated}', 'SELECT',
                '(user_id = ( SELECT app.user_id() AS user_id))', ''),
            ('oauth_consents', 'user_withdraw', 'PERMISSIVE', '{authenticated}', 'DELETE',
                '(user_id = ( SELECT app.user_id() AS user_id))', '')
    ) as expected (tablename, policyname, permissive, roles, cmd, qual, with_check)
    full join (
        select p.tablename::text, p.policyname::text, p.permissive, p.roles::text, p.cmd,
            coalesce(p.qual, ''), coalesce(p.with_check, '')
        from pg_policies as p
        where p.schemaname = 'app' and p.tablename = 'oauth_consents'
    ) as actual (tablename, policyname, permissive, roles, cmd, qual, with_check)
        using (tablename, policyname, permissive, roles, cmd, qual, with_check)
    where expected is null or actual is null;
    if found is not null then
        raise exception '0014_consents: policies differ: %', found;
    end if;

    select string_agg(format('%s %s', role, privilege), ', ') into found
    from unnest(array['authenticated', 'atoms_service']) as role,
        unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
    where has_table_privilege(role, 'app.oauth_consents', privilege)
        <> (role = 'authenticated' and privilege in ('SELECT', 'DELETE'));
    if found is not null then
        raise exception '0014_consents: grants differ: %', found;
    end if;

    select string_agg(format('%s %s', privilege, attname), ', ') into found
    from pg_attribute,
        (values ('INSERT', array['client_id', 'client_name', 'scopes']), ('UPDATE', array['client_name', 'scopes']))
            as granted (privilege, columns)
    where attrelid = 'app.oauth_consents'::regclass and attnum > 0 and not attisdropped
        and has_column_privilege('authenticated', attrelid, attnum, privilege) <> (attname = any (columns));
    if found is not null then
        raise exception '0014_consents: grants on columns differ: %', found;
    end if;

    if not exists (
        select from pg_trigger
        where tgrelid = 'app.oauth_consents'::regclass and tgname = 'touch' and tgenabled = 'O'
    ) then
        raise exception '0014_consents: trigger touch is missing';
    end if;
end
$$;
