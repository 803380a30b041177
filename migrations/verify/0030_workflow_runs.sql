do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'workflow_runs', 'workflow_step_results'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0030_workflow_runs: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'workflow_runs_error_length', 'workflow_runs_finished_at_order', 'workflow_runs_finished_at_status',
        'workflow_runs_id_version', 'workflow_runs_id_workflow_id', 'workflow_runs_id_workspace_id',
        'workflow_runs_idempotency_key_length', 'workflow_runs_input_length', 'workflow_runs_input_object',
        'workflow_runs_output_length', 'workflow_runs_output_object', 'workflow_runs_pkey',
        'workflow_runs_status_known', 'workflow_runs_subject', 'workflow_runs_subject_whole',
        'workflow_runs_trigger', 'workflow_runs_workflow', 'workflow_runs_workspace',
        'workflow_step_results_attempt_range', 'workflow_step_results_error_length',
        'workflow_step_results_finished_at_order', 'workflow_step_results_id_version',
        'workflow_step_results_number_range', 'workflow_step_results_once',
        'workflow_step_results_output_length', 'workflow_step_results_output_object',
        'workflow_step_results_pkey', 'workflow_step_results_run', 'workflow_step_results_run_workspace',
        'workflow_step_results_status_known', 'workflow_step_results_step', 'workflow_step_results_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0030_workflow_runs: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'workflow_runs_idempotency_key', 'workflow_runs_open', 'workflow_runs_subject_id',
        'workflow_runs_trigger_id', 'workflow_runs_workflow_id', 'workflow_runs_workspace_id',
        'workflow_step_results_step_id', 'workflow_step_results_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0030_workflow_runs: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'workflow_runs finished', 'workflow_runs live', 'workflow_runs record', 'workflow_runs stamp',
        'workflow_step_results finished', 'workflow_step_results stamp'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0030_workflow_runs: triggers are missing: %', found;
    end if;

    -- (function, whether it runs as the owner, whether people may call it)
    select string_agg(name, ', ') into found
    from (values
        ('app.keep_finished()', false, false)
    ) as expected (name, definer, callable)
    where not exists (
        select from pg_proc
        where oid = to_regprocedure(name) and prosecdef = definer
            and has_function_privilege('authenticated', oid, 'execute') = callable
            and not has_function_privilege('authenticator', oid, 'execute')
    );
    if found is not null then
        raise exception '0030_workflow_runs: functions are missing, run as another or are granted to others: %', found;
    end if;
end
$$;
