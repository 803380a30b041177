do $$
begin
    -- What it consists of is of 0008.
    if not exists (
        select from pg_class
        where oid = to_regclass('app.audit_events') and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    ) then
        raise exception '0005_audit_events: missing, without forced row security or of another owner';
    end if;
end
$$;
