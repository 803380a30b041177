select
    id,
    organization_id,
    name,
    description,
    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    version
from app.workspaces
where organization_id = $1::uuid and deleted_at is null
    and ($2::uuid is null or id > $2::uuid)
order by id
limit $3::int
