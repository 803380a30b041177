select to_jsonb(w) - 'search' || jsonb_build_object('steps', (
    select jsonb_agg(to_jsonb(s) order by s.number) from app.workflow_steps as s where s.workflow_id = w.id
))
from app.workflows as w
where w.organization_id = $1::uuid and w.workspace_id = $2::uuid and w.deleted_at is null
    and ($3::uuid is null or w.project_id = $3::uuid)
    and ($4::text is null or w.status = $4::text)
    and ($5::uuid is null or w.id > $5::uuid)
order by w.id
limit $6::int
