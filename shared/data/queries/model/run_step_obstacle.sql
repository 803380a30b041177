-- Why a result is not taken: where the run stands, and whether its workflow has the step.
select
    r.status,
    exists (select from app.workflow_steps as d where d.workflow_id = r.workflow_id and d.number = $3::int)
from app.workflow_runs as r
where r.id = $1::uuid and r.organization_id = $2::uuid
