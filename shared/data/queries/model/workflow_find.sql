select to_jsonb(w) - 'search' || jsonb_build_object('steps', (
    select jsonb_agg(to_jsonb(s) order by s.number) from app.workflow_steps as s where s.workflow_id = w.id
))
from app.workflows as w
where w.id = $1::uuid and w.organization_id = $2::uuid and w.deleted_at is null
