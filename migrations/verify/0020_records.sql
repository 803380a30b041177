do $$
declare
    found text;
begin
    -- (function, whether it runs as the owner, whether people may call it)
    select string_agg(name, ', ') into found
    from (values
        ('app.new_id()', false, true),
        ('app.organization_ids(text)', true, true),
        ('app.has_role(uuid, text)', true, true),
        ('app.stamp()', false, false),
        ('app.stamp_deletion()', false, false),
        ('app.require_live()', true, false),
        ('app.delete_within()', true, false)
    ) as expected (name, definer, callable)
    where not exists (
        select from pg_proc
        where oid = to_regprocedure(name) and prosecdef = definer
            and has_function_privilege('authenticated', oid, 'execute') = callable
            and not has_function_privilege('authenticator', oid, 'execute')
    );
    if found is not null then
        raise exception '0020_records: functions are missing, run as another or are granted to others: %', found;
    end if;
end
$$;
