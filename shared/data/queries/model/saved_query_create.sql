insert into app.saved_queries as q (
    id, organization_id, workspace_id, name, description, query, visibility
)
select $1::uuid, w.organization_id, w.id, $4::text, $5::text, $6::jsonb, $7::text
from app.workspaces as w
where w.id = $3::uuid and w.organization_id = $2::uuid and w.deleted_at is null
    and not exists (
        select from app.saved_queries as o
        where o.workspace_id = w.id
            and o.id >= $9::uuid and substr(o.id::text, 15, 14) = $8::text
    )
returning to_jsonb(q)
