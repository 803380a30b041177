do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'projects'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0024_projects: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'projects_attributes_length', 'projects_attributes_object', 'projects_description_length',
        'projects_id_version', 'projects_id_workspace_id', 'projects_name_length', 'projects_pkey',
        'projects_status_known', 'projects_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0024_projects: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'projects_search', 'projects_status', 'projects_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0024_projects: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'projects entity_key', 'projects live', 'projects record', 'projects stamp',
        'projects stamp_deletion', 'workspaces within'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0024_projects: triggers are missing: %', found;
    end if;
end
$$;
