do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'test_cases', 'test_runs'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0027_tests: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'test_cases_attributes_length', 'test_cases_attributes_object', 'test_cases_description_length',
        'test_cases_external_id_form', 'test_cases_id_project_id', 'test_cases_id_version',
        'test_cases_kind_known', 'test_cases_method_known', 'test_cases_pkey',
        'test_cases_preconditions_length', 'test_cases_priority_known', 'test_cases_project',
        'test_cases_status_known', 'test_cases_steps_array', 'test_cases_steps_length',
        'test_cases_title_length', 'test_cases_workspace', 'test_runs_attributes_length',
        'test_runs_attributes_object', 'test_runs_build_length', 'test_runs_environment_length',
        'test_runs_finished_at_order', 'test_runs_finished_at_status', 'test_runs_id_version',
        'test_runs_notes_length', 'test_runs_pkey', 'test_runs_project', 'test_runs_results_array',
        'test_runs_results_length', 'test_runs_status_known', 'test_runs_test_case', 'test_runs_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0027_tests: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'test_cases_external_id', 'test_cases_project_id', 'test_cases_search', 'test_cases_status',
        'test_cases_workspace_id', 'test_runs_project_id', 'test_runs_search', 'test_runs_status',
        'test_runs_test_case_id', 'test_runs_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0027_tests: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'test_cases entity_key', 'test_cases live', 'test_cases record', 'test_cases stamp',
        'test_cases stamp_deletion', 'test_cases within', 'test_runs entity_key', 'test_runs live',
        'test_runs record', 'test_runs stamp', 'test_runs stamp_deletion'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0027_tests: triggers are missing: %', found;
    end if;
end
$$;
