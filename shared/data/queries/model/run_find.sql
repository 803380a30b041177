select to_jsonb(r) || jsonb_build_object('steps', (
    select jsonb_agg(to_jsonb(s) order by s.number, s.attempt) from app.workflow_step_results as s
    where s.run_id = r.id
))
from app.workflow_runs as r
where r.id = $1::uuid and r.organization_id = $2::uuid
