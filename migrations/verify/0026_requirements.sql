do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'requirements'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0026_requirements: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'requirements_acceptance_criteria_length', 'requirements_attributes_length',
        'requirements_attributes_object', 'requirements_block', 'requirements_block_document',
        'requirements_document', 'requirements_ears_feature_length', 'requirements_ears_parts',
        'requirements_ears_pattern_known', 'requirements_ears_response_length',
        'requirements_ears_state_length', 'requirements_ears_system_length',
        'requirements_ears_trigger_length', 'requirements_ears_whole', 'requirements_external_id_form',
        'requirements_id_project_id', 'requirements_id_version', 'requirements_incose_findings_array',
        'requirements_incose_findings_length', 'requirements_incose_met_known',
        'requirements_incose_score_range', 'requirements_kind_known', 'requirements_level_known',
        'requirements_pkey', 'requirements_priority_known', 'requirements_project',
        'requirements_rationale_length', 'requirements_statement_length', 'requirements_status_known',
        'requirements_title_length', 'requirements_verification_method_known', 'requirements_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0026_requirements: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'requirements_block_id', 'requirements_document_id', 'requirements_external_id',
        'requirements_project_id', 'requirements_search', 'requirements_status', 'requirements_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0026_requirements: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'requirements entity_key', 'requirements live_block', 'requirements live_document',
        'requirements live_project', 'requirements record', 'requirements stamp',
        'requirements stamp_deletion'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0026_requirements: triggers are missing: %', found;
    end if;
end
$$;
