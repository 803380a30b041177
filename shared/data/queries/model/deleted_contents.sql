-- What this transaction has deleted with it.
select k.type, count(*)
from app.entity_keys as k
where k.workspace_id = (
        select o.workspace_id from app.entity_keys as o where o.id = $1::uuid
        union all
        select w.id from app.workspaces as w where w.id = $1::uuid
    )
    and k.deleted_at = now() and k.id <> $1::uuid
group by k.type
order by k.type
