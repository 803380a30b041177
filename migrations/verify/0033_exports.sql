do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'exports'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0033_exports: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'exports_content_length', 'exports_content_status', 'exports_error_length', 'exports_filter_length',
        'exports_filter_object', 'exports_finished_at_order', 'exports_finished_at_status',
        'exports_format_known', 'exports_id_version', 'exports_location_length', 'exports_pkey',
        'exports_project', 'exports_rows_range', 'exports_status_known', 'exports_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0033_exports: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'exports_created_by', 'exports_expires_at', 'exports_open', 'exports_project_id',
        'exports_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0033_exports: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'exports finished', 'exports live', 'exports live_project', 'exports record', 'exports stamp'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0033_exports: triggers are missing: %', found;
    end if;
end
$$;
