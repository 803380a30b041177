do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'workflows', 'workflow_steps', 'workflow_triggers'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0029_workflows: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'workflow_steps_condition_length', 'workflow_steps_condition_object', 'workflow_steps_config_length',
        'workflow_steps_config_object', 'workflow_steps_id_version', 'workflow_steps_id_workflow_id',
        'workflow_steps_kind_known', 'workflow_steps_max_attempts_range', 'workflow_steps_name_length',
        'workflow_steps_number_range', 'workflow_steps_number_unique', 'workflow_steps_on_failure_known',
        'workflow_steps_pkey', 'workflow_steps_retry', 'workflow_steps_timeout_range',
        'workflow_steps_workflow', 'workflow_steps_workspace', 'workflow_triggers_condition_length',
        'workflow_triggers_condition_object', 'workflow_triggers_entity_type_event',
        'workflow_triggers_entity_type_known', 'workflow_triggers_event_known',
        'workflow_triggers_id_version', 'workflow_triggers_id_workflow_id', 'workflow_triggers_pkey',
        'workflow_triggers_schedule_event', 'workflow_triggers_schedule_form', 'workflow_triggers_workflow',
        'workflow_triggers_workspace', 'workflows_attributes_length', 'workflows_attributes_object',
        'workflows_description_length', 'workflows_id_version', 'workflows_id_workspace_id',
        'workflows_name_length', 'workflows_pkey', 'workflows_project', 'workflows_status_known',
        'workflows_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0029_workflows: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'workflow_steps_workspace_id', 'workflow_triggers_workflow_id', 'workflow_triggers_workspace_id',
        'workflows_project_id', 'workflows_search', 'workflows_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0029_workflows: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'workflow_steps record', 'workflow_steps stamp', 'workflow_steps workflow',
        'workflow_triggers record', 'workflow_triggers stamp', 'workflow_triggers workflow',
        'workflows entity_key', 'workflows live_project', 'workflows live_workspace', 'workflows record',
        'workflows stamp', 'workflows stamp_deletion'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0029_workflows: triggers are missing: %', found;
    end if;

    -- (function, whether it runs as the owner, whether people may call it)
    select string_agg(name, ', ') into found
    from (values
        ('app.change_workflow()', true, false)
    ) as expected (name, definer, callable)
    where not exists (
        select from pg_proc
        where oid = to_regprocedure(name) and prosecdef = definer
            and has_function_privilege('authenticated', oid, 'execute') = callable
            and not has_function_privilege('authenticator', oid, 'execute')
    );
    if found is not null then
        raise exception '0029_workflows: functions are missing, run as another or are granted to others: %', found;
    end if;
end
$$;
