do $$
declare
    found text;
begin
    -- (function, whether it runs as the owner, whether people may call it)
    select string_agg(name, ', ') into found
    from (values
        ('app.move_workspace(uuid, uuid, bigint)', true, true)
    ) as expected (name, definer, callable)
    where not exists (
        select from pg_proc
        where oid = to_regprocedure(name) and prosecdef = definer
            and has_function_privilege('authenticated', oid, 'execute') = callable
            and not has_function_privilege('authenticator', oid, 'execute')
    );
    if found is not null then
        raise exception '0036_moves: functions are missing, run as another or are granted to others: %', found;
    end if;
end
$$;
