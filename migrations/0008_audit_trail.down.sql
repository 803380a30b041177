-- The events are gone with it.

set role atoms_owner;

drop function app.audit_retain(jsonb, timestamptz);
drop table app.audit_checkpoints;
drop table app.audit_heads;
drop function app.audit_forward();
drop table app.audit_events;
drop function app.audit_member(text, text);

-- As 0005 made it.
create table app.audit_events (
    id uuid primary key,
    at timestamptz not null default now(),
    kind text not null
        constraint audit_events_kind_length check (char_length(kind) between 1 and 100),
    subject text
        constraint audit_events_subject_length check (char_length(subject) between 1 and 255),
    session_id text
        constraint audit_events_session_id_length check (char_length(session_id) between 1 and 255),
    client_id text
        constraint audit_events_client_id_length check (char_length(client_id) between 1 and 200),
    outcome text not null
        constraint audit_events_outcome_length check (char_length(outcome) between 1 and 100),
    detail jsonb not null default '{}'
        constraint audit_events_detail_object check (jsonb_typeof(detail) = 'object')
        constraint audit_events_detail_length check (octet_length(detail::text) <= 16384)
);

create index audit_events_subject on app.audit_events (subject, at);
create index audit_events_at on app.audit_events (at);

alter table app.audit_events enable row level security;
alter table app.audit_events force row level security;

create policy service_add on app.audit_events for insert to atoms_service with check (true);

grant insert on app.audit_events to atoms_service;

reset role;
