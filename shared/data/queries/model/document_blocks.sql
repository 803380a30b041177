select 'block', b.position, to_jsonb(b) - 'search'
from app.blocks as b
where b.document_id = $1::uuid and b.organization_id = $2::uuid and b.deleted_at is null
    and ($4::uuid is null or (b.position, b.id) > ($3::numeric, $4::uuid))
order by b.position, b.id
limit $5::int
