update app.workflows as w set (name, description, status, attributes) = (
    select n.name, n.description, n.status, n.attributes from jsonb_populate_record(w, $4::jsonb) as n
)
where w.id = $1::uuid and w.organization_id = $2::uuid and w.deleted_at is null
    and ($3::bigint is null or w.version = $3::bigint)
returning to_jsonb(w) - 'search' || jsonb_build_object('steps', (
    select jsonb_agg(to_jsonb(s) order by s.number) from app.workflow_steps as s where s.workflow_id = w.id
))
