select to_jsonb(d) - 'search' from app.documents as d
where d.id = $1::uuid and d.organization_id = $2::uuid and d.deleted_at is null
