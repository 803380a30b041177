insert into app.workflows as w (
    id, organization_id, workspace_id, project_id, name, description, status
)
select $1::uuid, p.organization_id, p.id, $4::uuid, $5::text, $6::text, $7::text
from app.workspaces as p
where p.id = $3::uuid and p.organization_id = $2::uuid and p.deleted_at is null
    and not exists (
        select from app.entity_keys as o
        where o.organization_id = $2::uuid and o.type = 'workflow'
            and o.id >= $9::uuid and substr(o.id::text, 15, 14) = $8::text
    )
returning to_jsonb(w) - 'search'
