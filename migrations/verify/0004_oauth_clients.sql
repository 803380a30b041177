do $$
begin
    -- What it consists of is of 0013.
    if not exists (
        select from pg_class
        where oid = to_regclass('app.oauth_clients') and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    ) then
        raise exception '0004_oauth_clients: missing, without forced row security or of another owner';
    end if;
end
$$;
