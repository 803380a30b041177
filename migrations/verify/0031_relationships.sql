do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'relationships', 'relationship_rules', 'hierarchy_guards'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0031_relationships: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'hierarchy_guards_pkey', 'hierarchy_guards_workspace_id_fkey', 'relationship_rules_kind_known',
        'relationship_rules_pkey', 'relationships_attributes_length', 'relationships_attributes_object',
        'relationships_id_version', 'relationships_label_form', 'relationships_not_self',
        'relationships_one_target', 'relationships_pkey', 'relationships_rule', 'relationships_source',
        'relationships_target', 'relationships_target_user', 'relationships_target_user_type',
        'relationships_trace_link_label', 'relationships_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0031_relationships: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'relationships_association_once', 'relationships_once', 'relationships_one_parent',
        'relationships_source_id', 'relationships_target_id', 'relationships_target_user_id',
        'relationships_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0031_relationships: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'relationships ends', 'relationships hierarchy', 'relationships record', 'relationships stamp',
        'relationships stamp_deletion'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0031_relationships: triggers are missing: %', found;
    end if;

    -- (function, whether it runs as the owner, whether people may call it)
    select string_agg(name, ', ') into found
    from (values
        ('app.resolve_ends()', true, false),
        ('app.require_no_cycle()', true, false)
    ) as expected (name, definer, callable)
    where not exists (
        select from pg_proc
        where oid = to_regprocedure(name) and prosecdef = definer
            and has_function_privilege('authenticated', oid, 'execute') = callable
            and not has_function_privilege('authenticator', oid, 'execute')
    );
    if found is not null then
        raise exception '0031_relationships: functions are missing, run as another or are granted to others: %', found;
    end if;
end
$$;
