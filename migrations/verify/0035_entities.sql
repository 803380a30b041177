do $$
declare
    found text;
begin
    -- Without security_invoker a view shows what its owner sees.
    select string_agg(name, ', ') into found
    from unnest(array['entities', 'live_relationships']) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relkind = 'v' and 'security_invoker=true' = any (reloptions)
    );
    if found is not null then
        raise exception '0035_entities: missing, or not as its caller: %', found;
    end if;

    if not exists (
        select from pg_proc
        where oid = to_regprocedure('app.search_entities(text, uuid, uuid, text[], integer, integer)')
            and prosecdef and provolatile = 's'
            and has_function_privilege('authenticated', oid, 'execute')
            and not has_function_privilege('atoms_service', oid, 'execute')
    ) then
        raise exception '0035_entities: search_entities is missing, not security definer or granted to others';
    end if;
end
$$;
