-- The audit trail as the ledgers deliver it: each event as the ledger has hashed it, its place in the
-- chain of its ledger, and a seal that only the service can make. The table of 0005, which nothing has
-- ever written, makes way.
--
-- app.audit_events       the events; added by the service, read by the person they are about
-- app.audit_heads        how far each chain has been delivered; moves forward only
-- app.audit_checkpoints  up to where a chain has been deleted, by app.audit_retain alone

set role atoms_owner;

do $$
begin
    -- The owner is under row-level security, too, and would see no row.
    alter table app.audit_events no force row level security;
    if exists (select from app.audit_events) then
        raise exception 'app.audit_events holds events of another shape; move them away first';
    end if;
end
$$;

drop table app.audit_events;

-- What the owner's functions read of an event. Postgres has no U+0000: it is shown as U+FFFD. The text
-- that was hashed stays as it is.
create function app.audit_member(event text, name text) returns text
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
    return replace(event, '\u0000', '\ufffd')::jsonb ->> name;

create table app.audit_events (
    -- SHA-256 over the link before it and the event. Not its number is its name: a store that has lost
    -- writes numbers other events alike.
    hash text primary key
        constraint audit_events_hash_form check (hash ~ '^[0-9a-f]{64}$'),
    -- The address of the ledger.
    ledger text not null
        constraint audit_events_ledger_form check (ledger ~ '^[0-9a-f]{32}$'),
    -- Its place in the chain of the ledger, from 1.
    number bigint not null
        constraint audit_events_number_positive check (number > 0),
    prev text not null
        constraint audit_events_prev_form check (prev ~ '^[0-9a-f]{64}$'),
    -- HMAC-SHA256 over ledger, number, hash and subject, and the version of its key.
    seal text not null
        constraint audit_events_seal_form check (seal ~ '^[0-9a-f]{64}$'),
    key_id smallint not null
        constraint audit_events_key_id_range check (key_id between 0 and 255),
    -- The person whose ledger it is.
    subject text,
    -- As the ledger has hashed it.
    event text not null
        constraint audit_events_event_length check (octet_length(event) <= 65536),
    delivered_at timestamptz not null default now(),
    -- What is asked for, out of the event: it cannot say anything else.
    kind text not null generated always as (app.audit_member(event, 'kind')) stored,
    occurred_at timestamptz not null
        generated always as (to_timestamp(app.audit_member(event, 'at')::double precision / 1000)) stored,
    session_id text generated always as (app.audit_member(event, 'session')) stored,
    client_id text generated always as (app.audit_member(event, 'client_id')) stored,
    organization_id text generated always as (app.audit_member(event, 'organization')) stored,
    actor text not null generated always as (case
        when app.audit_member(event, 'actor') is null then 'client'
        when app.audit_member(event, 'actor') = 'service' then 'service'
        else 'operator' end) stored,
    outcome text not null generated always as (app.audit_member(event, 'outcome')) stored,
    reason text generated always as (app.audit_member(event, 'reason')) stored,
    device text generated always as (app.audit_member(event, 'device')) stored,
    network text generated always as (app.audit_member(event, 'network')) stored,
    request_id text generated always as (app.audit_member(event, 'request_id')) stored,
    trace_id text generated always as (app.audit_member(event, 'trace_id')) stored,
    count integer not null
        generated always as (coalesce(app.audit_member(event, 'count')::integer, 1)) stored
);

create index audit_events_subject on app.audit_events (subject, occurred_at, hash);
create index audit_events_ledger on app.audit_events (ledger, number, hash);

create table app.audit_heads (
    ledger text primary key
        constraint audit_heads_ledger_form check (ledger ~ '^[0-9a-f]{32}$'),
    -- The last event that was delivered.
    number bigint not null
        constraint audit_heads_number_positive check (number > 0),
    hash text not null
        constraint audit_heads_hash_form check (hash ~ '^[0-9a-f]{64}$'),
    seal text not null
        constraint audit_heads_seal_form check (seal ~ '^[0-9a-f]{64}$'),
    key_id smallint not null
        constraint audit_heads_key_id_range check (key_id between 0 and 255),
    delivered_at timestamptz not null default now()
);

create table app.audit_checkpoints (
    ledger text not null
        constraint audit_checkpoints_ledger_form check (ledger ~ '^[0-9a-f]{32}$'),
    -- The last event that was deleted, and all before it.
    number bigint not null
        constraint audit_checkpoints_number_positive check (number > 0),
    hash text not null
        constraint audit_checkpoints_hash_form check (hash ~ '^[0-9a-f]{64}$'),
    -- How many rows were deleted with it.
    count bigint not null
        constraint audit_checkpoints_count_positive check (count > 0),
    -- When, in milliseconds since the epoch: it is part of what is sealed.
    at bigint not null,
    seal text not null
        constraint audit_checkpoints_seal_form check (seal ~ '^[0-9a-f]{64}$'),
    key_id smallint not null
        constraint audit_checkpoints_key_id_range check (key_id between 0 and 255),
    primary key (ledger, number)
);

-- A head that went back would hide that rows are gone.
create function app.audit_forward() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    if new.ledger <> old.ledger or new.number <= old.number then
        raise exception 'the head of an audit trail moves forward only' using errcode = '23514';
    end if;
    new.delivered_at := now();
    return new;
end
$$;

create trigger forward before update on app.audit_heads
    for each row execute function app.audit_forward();

-- Deletes the events of a ledger up to a number, all of which happened before the moment, and leaves
-- the checkpoint behind. The caller has sealed it; the seal is not checked here but by whoever
-- verifies the trail, and a chain that begins behind a wrong one is a finding.
create function app.audit_retain(p_checkpoint jsonb, p_before timestamptz) returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_new app.audit_checkpoints := jsonb_populate_record(null::app.audit_checkpoints, p_checkpoint);
    v_deleted bigint;
begin
    if p_before > now() - interval '1 day' then
        raise exception 'the last day of the audit trail is not deleted' using errcode = '23514';
    end if;
    if not exists (
        select from app.audit_events as e
        where e.ledger = v_new.ledger and e.number = v_new.number and e.hash = v_new.hash
    ) or exists (
        select from app.audit_events as e
        where e.ledger = v_new.ledger and e.number <= v_new.number and e.occurred_at >= p_before
    ) then
        raise exception 'the checkpoint does not fit the audit trail' using errcode = '23514';
    end if;
    insert into app.audit_checkpoints select v_new.*;
    delete from app.audit_events as e where e.ledger = v_new.ledger and e.number <= v_new.number;
    get diagnostics v_deleted = row_count;
    if v_deleted <> v_new.count then
        raise exception 'the checkpoint counts % events, there were %', v_new.count, v_deleted
            using errcode = '23514';
    end if;
    return v_deleted;
end
$$;

revoke execute on function app.audit_member(text, text), app.audit_forward(),
    app.audit_retain(jsonb, timestamptz) from public;
-- Whoever adds an event computes its columns.
grant execute on function app.audit_member(text, text) to atoms_service;
grant execute on function app.audit_retain(jsonb, timestamptz) to atoms_service;

alter table app.audit_events enable row level security;
alter table app.audit_events force row level security;
alter table app.audit_heads enable row level security;
alter table app.audit_heads force row level security;
alter table app.audit_checkpoints enable row level security;
alter table app.audit_checkpoints force row level security;

create policy service_add on app.audit_events for insert to atoms_service with check (true);
create policy service_read on app.audit_events for select to atoms_service using (true);
create policy user_read on app.audit_events for select to authenticated
    using (subject = (select app.user_id()));
-- Those of audit_retain.
create policy owner_read on app.audit_events for select to atoms_owner using (true);
create policy owner_delete on app.audit_events for delete to atoms_owner using (true);

create policy service_read on app.audit_heads for select to atoms_service using (true);
create policy service_add on app.audit_heads for insert to atoms_service with check (true);
create policy service_move on app.audit_heads for update to atoms_service using (true) with check (true);

create policy service_read on app.audit_checkpoints for select to atoms_service using (true);
create policy owner_add on app.audit_checkpoints for insert to atoms_owner with check (true);

grant select, insert on app.audit_events to atoms_service;
grant select, insert, update on app.audit_heads to atoms_service;
grant select on app.audit_checkpoints to atoms_service;
-- Not the links and seals, and not which operator it was.
grant select (hash, number, subject, kind, occurred_at, session_id, client_id, organization_id, actor,
    outcome, reason, device, network, request_id, trace_id, count) on app.audit_events to authenticated;

reset role;
