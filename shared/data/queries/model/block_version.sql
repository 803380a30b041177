-- Whether what it is to follow is there, and its version.
select
    $3::uuid is null or exists (
        select from app.blocks as o
        where o.id = $3::uuid and o.id <> t.id and o.document_id = t.document_id and o.deleted_at is null
    ),
    t.version
from app.blocks as t
where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
