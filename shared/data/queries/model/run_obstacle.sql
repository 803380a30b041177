-- Why a run does not start: the workflow's status, and whether what it is about is there.
select
    w.status,
    $3::uuid is null or exists (
        select from app.entity_keys as k
        where k.id = $3::uuid and k.workspace_id = w.workspace_id and k.deleted_at is null
    )
from app.workflows as w
where w.id = $1::uuid and w.organization_id = $2::uuid and w.deleted_at is null
