do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'tasks'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0028_tasks: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'tasks_attributes_length', 'tasks_attributes_object', 'tasks_description_length',
        'tasks_estimate_range', 'tasks_external_id_form', 'tasks_id_version', 'tasks_pkey',
        'tasks_priority_known', 'tasks_project', 'tasks_status_known', 'tasks_title_length', 'tasks_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0028_tasks: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'tasks_due_on', 'tasks_external_id', 'tasks_project_id', 'tasks_search', 'tasks_status',
        'tasks_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0028_tasks: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'tasks entity_key', 'tasks live', 'tasks record', 'tasks stamp', 'tasks stamp_deletion'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0028_tasks: triggers are missing: %', found;
    end if;
end
$$;
