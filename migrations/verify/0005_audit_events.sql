do $$
declare
    found text;
begin
    if not exists (
        select from pg_class
        where oid = to_regclass('app.audit_events') and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    ) then
        raise exception '0005_audit_events: missing, without forced row security or of another owner';
    end if;

    if (
        select array_agg(format('%s %s %s', policyname, cmd, roles)) from pg_policies
        where schemaname = 'app' and tablename = 'audit_events'
    ) is distinct from array['service_add INSERT {atoms_service}'] then
        raise exception '0005_audit_events: policies differ';
    end if;

    select string_agg(format('%s %s', role, privilege), ', ') into found
    from unnest(array['authenticated', 'atoms_service']) as role,
        unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
    where has_table_privilege(role, 'app.audit_events', privilege)
        <> (role = 'atoms_service' and privilege = 'INSERT');
    if found is not null then
        raise exception '0005_audit_events: grants differ: %', found;
    end if;

    if has_any_column_privilege('authenticated', 'app.audit_events', 'SELECT')
        or has_any_column_privilege('atoms_service', 'app.audit_events', 'UPDATE') then
        raise exception '0005_audit_events: a column may be read or changed';
    end if;
end
$$;
