insert into app.exports as e (id, organization_id, workspace_id, project_id, format, filter)
select $1::uuid, w.organization_id, w.id, $4::uuid, $5::text, $6::jsonb
from app.workspaces as w
where w.id = $3::uuid and w.organization_id = $2::uuid and w.deleted_at is null
    and not exists (
        select from app.exports as o
        where o.created_by = app.user_id()
            and o.id >= $8::uuid and substr(o.id::text, 15, 14) = $7::text
    )
returning to_jsonb(e) - 'content'
