select to_jsonb(w) - 'search' || jsonb_build_object('steps', (
    select jsonb_agg(to_jsonb(s) order by s.number) from app.workflow_steps as s where s.workflow_id = w.id
))
from app.workflows as w
where w.organization_id = $1::uuid and w.id in (
    select o.id from app.entity_keys as o
    where o.organization_id = $1::uuid and o.type = 'workflow'
        and o.id >= $3::uuid and substr(o.id::text, 15, 14) = $2::text
)
