insert into app.workflow_steps (
    organization_id, workspace_id, workflow_id, number, name, kind, config, condition, on_failure,
    max_attempts, timeout
)
select
    w.organization_id, w.workspace_id, w.id, s.number, s.step ->> 'name', s.step ->> 'kind', s.step -> 'config',
    nullif(s.step -> 'condition', 'null'), s.step ->> 'on_failure', (s.step ->> 'max_attempts')::smallint,
    (s.step ->> 'timeout')::integer
from app.workflows as w, jsonb_array_elements($2::jsonb) with ordinality as s (step, number)
where w.id = $1::uuid
returning 1
