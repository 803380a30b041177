do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'saved_queries', 'query_statistics'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0032_queries: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'query_statistics_executions_positive', 'query_statistics_failures_range',
        'query_statistics_fingerprint_form', 'query_statistics_max_time_range',
        'query_statistics_operation_form', 'query_statistics_pkey', 'query_statistics_rows_range',
        'query_statistics_saved_query', 'query_statistics_workspace', 'saved_queries_description_length',
        'saved_queries_id_version', 'saved_queries_id_workspace_id', 'saved_queries_name_length',
        'saved_queries_pkey', 'saved_queries_query_length', 'saved_queries_query_object',
        'saved_queries_visibility_known', 'saved_queries_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0032_queries: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'query_statistics_day', 'query_statistics_saved_query_id', 'saved_queries_name',
        'saved_queries_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0032_queries: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'saved_queries live', 'saved_queries record', 'saved_queries stamp', 'saved_queries stamp_deletion'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0032_queries: triggers are missing: %', found;
    end if;

    -- (function, whether it runs as the owner, whether people may call it)
    select string_agg(name, ', ') into found
    from (values
        ('app.record_query(uuid, text, text, uuid, boolean, bigint, bigint)', true, true)
    ) as expected (name, definer, callable)
    where not exists (
        select from pg_proc
        where oid = to_regprocedure(name) and prosecdef = definer
            and has_function_privilege('authenticated', oid, 'execute') = callable
            and not has_function_privilege('authenticator', oid, 'execute')
    );
    if found is not null then
        raise exception '0032_queries: functions are missing, run as another or are granted to others: %', found;
    end if;
end
$$;
