do $$
declare
    found text;
begin
    select string_agg(name, ', ') into found
    from unnest(array[
        'webhook_endpoints', 'webhook_deliveries'
    ]) as name
    where not exists (
        select from pg_class
        where oid = to_regclass('app.' || name) and relrowsecurity and relforcerowsecurity
            and pg_get_userbyid(relowner) = 'atoms_owner'
    );
    if found is not null then
        raise exception '0034_webhooks: missing, without forced row security or of another owner: %', found;
    end if;

    -- What the rules of the tables are called; what they say is for tests to try.
    select string_agg(name, ', ') into found
    from unnest(array[
        'webhook_deliveries_attempts_range', 'webhook_deliveries_delivered_at_status',
        'webhook_deliveries_endpoint', 'webhook_deliveries_error_length', 'webhook_deliveries_once',
        'webhook_deliveries_payload_object', 'webhook_deliveries_pkey',
        'webhook_deliveries_response_status_range', 'webhook_deliveries_status_known',
        'webhook_endpoints_description_length', 'webhook_endpoints_disabled_reason_length',
        'webhook_endpoints_events_count', 'webhook_endpoints_events_form', 'webhook_endpoints_failures_range',
        'webhook_endpoints_id_organization_id', 'webhook_endpoints_id_version',
        'webhook_endpoints_organization_id_fkey', 'webhook_endpoints_pkey',
        'webhook_endpoints_secret_sealed_length', 'webhook_endpoints_url_form', 'webhook_endpoints_workspace'
    ]) as name
    where not exists (
        select from pg_constraint
        where connamespace = 'app'::regnamespace and conname = name and convalidated
    );
    if found is not null then
        raise exception '0034_webhooks: constraints are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'webhook_deliveries_due', 'webhook_deliveries_endpoint_id', 'webhook_deliveries_old',
        'webhook_endpoints_organization_id', 'webhook_endpoints_workspace_id'
    ]) as name
    where not exists (
        select from pg_index where indexrelid = to_regclass('app.' || name) and indisvalid
    );
    if found is not null then
        raise exception '0034_webhooks: indexes are missing: %', found;
    end if;

    select string_agg(name, ', ') into found
    from unnest(array[
        'change_events announce', 'webhook_deliveries touch', 'webhook_endpoints record',
        'webhook_endpoints stamp'
    ]) as name
    where not exists (
        select from pg_trigger
        where tgrelid = to_regclass('app.' || split_part(name, ' ', 1)) and tgname = split_part(name, ' ', 2)
            and tgenabled = 'O'
    );
    if found is not null then
        raise exception '0034_webhooks: triggers are missing: %', found;
    end if;

    -- (function, whether it runs as the owner, whether people may call it)
    select string_agg(name, ', ') into found
    from (values
        ('app.announce_change()', true, false)
    ) as expected (name, definer, callable)
    where not exists (
        select from pg_proc
        where oid = to_regprocedure(name) and prosecdef = definer
            and has_function_privilege('authenticated', oid, 'execute') = callable
            and not has_function_privilege('authenticator', oid, 'execute')
    );
    if found is not null then
        raise exception '0034_webhooks: functions are missing, run as another or are granted to others: %', found;
    end if;
end
$$;
