-- Two organizations with people of every role and a row in every table. Written as the superuser, on
-- behalf of the owner of each.

select set_config('request.jwt.claims', '{"sub":"user_owner"}', false);

create function pg_temp.key(number integer) returns uuid
    language sql
    return format('01900000-0000-7000-8000-%s', lpad(number::text, 12, '0'))::uuid;

insert into app.organizations (id, name) values (pg_temp.key(1), 'One'), (pg_temp.key(2), 'Two');
insert into app.memberships (organization_id, user_id, role)
select pg_temp.key(1), 'user_' || role, role from unnest(array['owner', 'admin', 'member', 'viewer']) as role
union all values
    (pg_temp.key(1), 'user_removed', 'admin'),
    (pg_temp.key(1), 'user_both', 'admin'),
    (pg_temp.key(2), 'user_both', 'admin'),
    (pg_temp.key(2), 'user_stranger', 'owner');

insert into app.workspaces (id, organization_id, name) values
    (pg_temp.key(10), pg_temp.key(1), 'Pumps'),
    (pg_temp.key(11), pg_temp.key(1), 'Valves');
insert into app.projects (id, organization_id, workspace_id, name) values
    (pg_temp.key(20), pg_temp.key(1), pg_temp.key(10), 'Pump'),
    (pg_temp.key(21), pg_temp.key(1), pg_temp.key(10), 'Spare pump'),
    (pg_temp.key(22), pg_temp.key(1), pg_temp.key(11), 'Valve');
insert into app.documents (id, organization_id, workspace_id, project_id, title) values
    (pg_temp.key(30), pg_temp.key(1), pg_temp.key(10), pg_temp.key(20), 'Specification'),
    (pg_temp.key(31), pg_temp.key(1), pg_temp.key(10), pg_temp.key(21), 'Specification');
insert into app.blocks (id, organization_id, workspace_id, project_id, document_id, position, content) values
    (pg_temp.key(40), pg_temp.key(1), pg_temp.key(10), pg_temp.key(20), pg_temp.key(30), 1, 'Stopping'),
    (pg_temp.key(41), pg_temp.key(1), pg_temp.key(10), pg_temp.key(21), pg_temp.key(31), 1, 'Stopping');
insert into app.requirements (id, organization_id, workspace_id, project_id, document_id, block_id, title)
values
    (pg_temp.key(50), pg_temp.key(1), pg_temp.key(10), pg_temp.key(20), pg_temp.key(30), pg_temp.key(40), 'Stop'),
    (pg_temp.key(51), pg_temp.key(1), pg_temp.key(10), pg_temp.key(20), null, null, 'Stop when dry'),
    (pg_temp.key(52), pg_temp.key(1), pg_temp.key(11), pg_temp.key(22), null, null, 'Open'),
    (pg_temp.key(54), pg_temp.key(1), pg_temp.key(10), pg_temp.key(21), null, null, 'Start');
insert into app.test_cases (id, organization_id, workspace_id, project_id, title) values
    (pg_temp.key(60), pg_temp.key(1), pg_temp.key(10), pg_temp.key(20), 'Run it dry'),
    (pg_temp.key(61), pg_temp.key(1), pg_temp.key(10), pg_temp.key(21), 'Run it dry');
insert into app.test_runs (id, organization_id, workspace_id, project_id, test_case_id) values
    (pg_temp.key(70), pg_temp.key(1), pg_temp.key(10), pg_temp.key(20), pg_temp.key(60)),
    (pg_temp.key(71), pg_temp.key(1), pg_temp.key(10), pg_temp.key(21), pg_temp.key(61));
insert into app.tasks (id, organization_id, workspace_id, project_id, title) values
    (pg_temp.key(80), pg_temp.key(1), pg_temp.key(10), pg_temp.key(20), 'Order a pump'),
    (pg_temp.key(81), pg_temp.key(1), pg_temp.key(10), pg_temp.key(21), 'Order a spare pump');
insert into app.workflows (id, organization_id, workspace_id, name) values
    (pg_temp.key(90), pg_temp.key(1), pg_temp.key(10), 'Review'),
    (pg_temp.key(91), pg_temp.key(1), pg_temp.key(10), 'Release');
insert into app.workflow_steps (id, organization_id, workspace_id, workflow_id, number, name) values
    (pg_temp.key(95), pg_temp.key(1), pg_temp.key(10), pg_temp.key(90), 1, 'Read'),
    (pg_temp.key(96), pg_temp.key(1), pg_temp.key(10), pg_temp.key(91), 1, 'Tag');
insert into app.workflow_triggers (id, organization_id, workspace_id, workflow_id, event) values
    (pg_temp.key(97), pg_temp.key(1), pg_temp.key(10), pg_temp.key(90), 'manual'),
    (pg_temp.key(98), pg_temp.key(1), pg_temp.key(10), pg_temp.key(91), 'manual');
insert into app.workflow_runs (id, organization_id, workspace_id, workflow_id, workflow_version) values
    (pg_temp.key(100), pg_temp.key(1), pg_temp.key(10), pg_temp.key(90), 1);
insert into app.workflow_step_results (id, organization_id, workspace_id, workflow_id, run_id, step_id, number)
values
    (pg_temp.key(101), pg_temp.key(1), pg_temp.key(10), pg_temp.key(90), pg_temp.key(100), pg_temp.key(95), 1);
insert into app.relationships (id, organization_id, workspace_id, kind, source_id, target_id, target_user_id)
values
    (pg_temp.key(110), pg_temp.key(1), pg_temp.key(10), 'hierarchy', pg_temp.key(50), pg_temp.key(51), null),
    (pg_temp.key(111), pg_temp.key(1), pg_temp.key(10), 'assignment', pg_temp.key(80), null, 'user_member'),
    (pg_temp.key(112), pg_temp.key(1), pg_temp.key(10), 'assignment', pg_temp.key(80), null, 'user_removed');
insert into app.saved_queries (id, organization_id, workspace_id, name, query, visibility) values
    (pg_temp.key(120), pg_temp.key(1), pg_temp.key(10), 'Shared', '{}', 'workspace');
select app.record_query(pg_temp.key(10), 'search', '0123456789abcdef', null, false, 1, 1000);
insert into app.exports (id, organization_id, workspace_id, format) values
    (pg_temp.key(130), pg_temp.key(1), pg_temp.key(10), 'csv');
-- One of their own for each who could have any.
insert into app.saved_queries (organization_id, workspace_id, name, query, created_by)
select pg_temp.key(1), pg_temp.key(10), 'Own', '{}', m.user_id
from app.memberships as m where m.organization_id = pg_temp.key(1) and m.user_id <> 'user_both';
insert into app.exports (organization_id, workspace_id, format, created_by)
select pg_temp.key(1), pg_temp.key(10), 'csv', m.user_id
from app.memberships as m where m.organization_id = pg_temp.key(1) and m.user_id <> 'user_both';
insert into app.exports (id, organization_id, workspace_id, format, expires_at) values
    (pg_temp.key(131), pg_temp.key(1), pg_temp.key(10), 'csv', now() - interval '1 hour');
insert into app.webhook_endpoints (id, organization_id, url, events, secret_sealed) values
    (pg_temp.key(140), pg_temp.key(1), 'https://example.com/hook', '{task.changed}', 'sealed');
update app.tasks set priority = 'high' where id = pg_temp.key(80);
insert into app.webhook_deliveries
    (id, organization_id, endpoint_id, event_id, event_type, payload, status, delivered_at, created_at)
values (pg_temp.key(141), pg_temp.key(1), pg_temp.key(140), pg_temp.key(0), 'task.changed', '{}', 'delivered',
    now() - interval '2 days', now() - interval '2 days');
insert into app.invitations (id, organization_id, email, role, token_hash) values
    (pg_temp.key(150), pg_temp.key(1), 'new@example.com', 'member', repeat('a', 64));

insert into app.oauth_clients (client_id, name, kind) values ('client', 'Client', 'public');
insert into app.oauth_consents (user_id, client_id, client_name, scopes)
select m.user_id, 'client', 'Client', '{}' from app.memberships as m where m.organization_id = pg_temp.key(1);
insert into app.ledgers (address, document, version) values (repeat('0', 32), '{}', '1');
insert into app.audit_events (hash, ledger, number, prev, seal, key_id, subject, event)
select
    encode(sha256(m.user_id::bytea), 'hex'), repeat('0', 32), row_number() over (), repeat('0', 64),
    repeat('0', 64), 1, m.user_id, '{"kind":"x","at":1,"outcome":"ok"}'
from app.memberships as m where m.organization_id = pg_temp.key(1);
insert into app.audit_heads (ledger, number, hash, seal, key_id) values
    (repeat('0', 32), 1, repeat('0', 64), repeat('0', 64), 1);
insert into app.audit_checkpoints (ledger, number, hash, count, at, seal, key_id) values
    (repeat('0', 32), 1, repeat('0', 64), 1, 1, repeat('0', 64), 1);

delete from app.memberships where user_id = 'user_removed';

select set_config('request.jwt.claims', '{"sub":"user_stranger"}', false);
insert into app.workspaces (id, organization_id, name) values (pg_temp.key(13), pg_temp.key(2), 'Others');
insert into app.projects (id, organization_id, workspace_id, name) values
    (pg_temp.key(23), pg_temp.key(2), pg_temp.key(13), 'Others');
insert into app.documents (id, organization_id, workspace_id, project_id, title) values
    (pg_temp.key(33), pg_temp.key(2), pg_temp.key(13), pg_temp.key(23), 'Others');
insert into app.requirements (id, organization_id, workspace_id, project_id, title) values
    (pg_temp.key(53), pg_temp.key(2), pg_temp.key(13), pg_temp.key(23), 'Stop');
insert into app.tasks (id, organization_id, workspace_id, project_id, title) values
    (pg_temp.key(83), pg_temp.key(2), pg_temp.key(13), pg_temp.key(23), 'Others');
