insert into app.workflow_step_results (
    organization_id, workspace_id, workflow_id, run_id, step_id, number
)
select r.organization_id, r.workspace_id, r.workflow_id, r.id, s.id, s.number
from app.workflow_runs as r join app.workflow_steps as s on s.workflow_id = r.workflow_id
where r.id = $1::uuid
returning 1
