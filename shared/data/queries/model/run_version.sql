select r.version from app.workflow_runs as r
where r.id = $1::uuid and r.organization_id = $2::uuid
