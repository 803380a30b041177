select to_jsonb(r) || jsonb_build_object('steps', (
    select jsonb_agg(to_jsonb(s) order by s.number, s.attempt) from app.workflow_step_results as s
    where s.run_id = r.id
))
from app.workflow_runs as r
where r.organization_id = $1::uuid and r.workflow_id = $2::uuid
    and ($3::text is null or r.status = $3::text)
    and ($4::uuid is null or r.id > $4::uuid)
order by r.id
limit $5::int
