do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'documents', 'blocks'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0025_documents: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'blocks_attributes_length', 'blocks_attributes_object', 'blocks_content_length', 'blocks_document',
        'blocks_id_document_id', 'blocks_id_version', 'blocks_kind_known', 'blocks_level_kind',
        'blocks_level_range', 'blocks_pkey', 'blocks_position_positive', 'blocks_project', 'blocks_workspace',
        'documents_attributes_length', 'documents_attributes_object', 'documents_description_length',
        'documents_external_id_form', 'documents_id_project_id', 'documents_id_version',
        'documents_kind_known', 'documents_pkey', 'documents_project', 'documents_status_known',
        'documents_title_length', 'documents_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0025_documents: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'blocks_document_id', 'blocks_project_id', 'blocks_search', 'blocks_workspace_id',
        'documents_external_id', 'documents_project_id', 'documents_search', 'documents_status',
        'documents_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0025_documents: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'blocks entity_key', 'blocks live', 'blocks record', 'blocks stamp', 'blocks stamp_deletion',
        'documents entity_key', 'documents live', 'documents record', 'documents stamp',
        'documents stamp_deletion', 'documents within', 'projects within'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0025_documents: triggers are missing: %', found;
    end if;
end
$$;
