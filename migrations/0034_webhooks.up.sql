-- Where an organization wants to be told of changes, and what was delivered there. What is to be
-- delivered is written in the same transaction as the change itself; the service delivers it.

set role atoms_owner;

create table app.webhook_endpoints (
    id uuid primary key default app.new_id()
        constraint webhook_endpoints_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null references app.organizations (id) on delete cascade,
    -- Null: of all workspaces, and of the organization itself.
    workspace_id uuid,
    url text not null
        constraint webhook_endpoints_url_form
        check (char_length(url) <= 2000 and url ~ '^https://[^\s/?#@]+([/?][^\s#]*)?$'),
    description text
        constraint webhook_endpoints_description_length check (char_length(description) <= 4000),
    -- Types of entities and what happens to them: `task.created`, `task.*`, `*`.
    events text[] not null
        constraint webhook_endpoints_events_count
        check (cardinality(events) between 1 and 100 and array_position(events, null) is null)
        constraint webhook_endpoints_events_form
        check (array_to_string(events, ' ') ~ '^(\*|[a-z_]+\.([a-z]+|\*))( (\*|[a-z_]+\.([a-z]+|\*)))*$'),
    -- Of the signatures, sealed by the service: people write it and cannot read it.
    secret_sealed text not null
        constraint webhook_endpoints_secret_sealed_length check (char_length(secret_sealed) between 1 and 1000),
    enabled boolean not null default true,
    -- Deliveries that failed one after the other, and why it was disabled by the service.
    failures integer not null default 0
        constraint webhook_endpoints_failures_range check (failures >= 0),
    disabled_reason text
        constraint webhook_endpoints_disabled_reason_length check (char_length(disabled_reason) <= 300),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    constraint webhook_endpoints_id_organization_id unique (id, organization_id),
    -- It does not move with its workspace: see app.move_workspace.
    constraint webhook_endpoints_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on delete cascade
);

create index webhook_endpoints_organization_id on app.webhook_endpoints (organization_id, id);
create index webhook_endpoints_workspace_id on app.webhook_endpoints (workspace_id)
    where workspace_id is not null;

create trigger stamp before update on app.webhook_endpoints
    for each row execute function app.stamp();
create trigger record after insert or update or delete on app.webhook_endpoints
    for each row execute function app.record_change('webhook_endpoint');

create table app.webhook_deliveries (
    id uuid primary key default app.new_id(),
    organization_id uuid not null,
    endpoint_id uuid not null,
    -- Of app.change_events.
    event_id uuid not null,
    event_type text not null,
    payload jsonb not null
        constraint webhook_deliveries_payload_object check (jsonb_typeof(payload) = 'object'),
    status text not null default 'pending'
        constraint webhook_deliveries_status_known check (status in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0
        constraint webhook_deliveries_attempts_range check (attempts between 0 and 100),
    -- Not before; whoever tries moves it on first, so that nobody else tries meanwhile.
    next_attempt_at timestamptz not null default now(),
    -- What the endpoint answered last.
    response_status smallint
        constraint webhook_deliveries_response_status_range check (response_status between 100 and 599),
    error text
        constraint webhook_deliveries_error_length check (char_length(error) <= 1000),
    delivered_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint webhook_deliveries_delivered_at_status
        check ((delivered_at is not null) = (status = 'delivered')),
    constraint webhook_deliveries_once unique (endpoint_id, event_id),
    constraint webhook_deliveries_endpoint foreign key (endpoint_id, organization_id)
        references app.webhook_endpoints (id, organization_id) on delete cascade
);

create index webhook_deliveries_endpoint_id on app.webhook_deliveries (endpoint_id, id);
create index webhook_deliveries_due on app.webhook_deliveries (next_attempt_at) where status = 'pending';
create index webhook_deliveries_old on app.webhook_deliveries (created_at) where status <> 'pending';

create trigger touch before update on app.webhook_deliveries
    for each row execute function app.touch();

-- The trigger of what happened.
create function app.announce_change() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into app.webhook_deliveries (organization_id, endpoint_id, event_id, event_type, payload)
    select
        e.organization_id, e.id, new.id, format('%s.%s', new.entity_type, new.verb),
        to_jsonb(new)
    from app.webhook_endpoints as e
    where e.organization_id = new.organization_id and e.enabled
        and (e.workspace_id is null or e.workspace_id = new.workspace_id)
        and e.events && array['*', new.entity_type || '.*', format('%s.%s', new.entity_type, new.verb)];
    return null;
end
$$;

revoke execute on function app.announce_change() from public;

create trigger announce after insert on app.change_events
    for each row execute function app.announce_change();

alter table app.webhook_endpoints enable row level security;
alter table app.webhook_endpoints force row level security;
alter table app.webhook_deliveries enable row level security;
alter table app.webhook_deliveries force row level security;

create policy owner_all on app.webhook_endpoints to atoms_owner using (true) with check (true);
create policy owner_all on app.webhook_deliveries to atoms_owner using (true) with check (true);

reset role;
