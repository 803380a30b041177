insert into app.requirements as t (
    id, organization_id, workspace_id, project_id, document_id, block_id, external_id, title, statement,
    rationale, acceptance_criteria, kind, level, priority, status, ears_pattern, ears_feature,
    ears_state, ears_trigger, ears_system, ears_response, verification_method, incose_met, incose_score,
    incose_findings, attributes
)
select
    $1::uuid, p.organization_id, p.workspace_id, p.id, $5::uuid, n.block_id, n.external_id, n.title,
    coalesce(n.statement, ''), n.rationale, n.acceptance_criteria, n.kind, n.level, n.priority,
    n.status, n.ears_pattern, n.ears_feature, n.ears_state, n.ears_trigger, n.ears_system,
    n.ears_response, n.verification_method, n.incose_met, n.incose_score, n.incose_findings,
    n.attributes
from app.projects as p,
    (
        select '{
            "description": "", "kind": "functional", "level": "system", "priority": "medium",
            "status": "draft", "incose_met": [], "incose_findings": [], "attributes": {}
        }'::jsonb || $6::jsonb as given
    ) as g,
    jsonb_populate_record(
        null::app.requirements, g.given || jsonb_build_object('statement', g.given -> 'description')
    ) as n
where p.id = coalesce($4::uuid, (select o.project_id from app.documents as o where o.id = $5::uuid))
    and p.organization_id = $2::uuid and p.deleted_at is null
    and ($3::uuid is null or p.workspace_id = $3::uuid)
    and not exists (
        select from app.entity_keys as k
        where k.organization_id = $2::uuid and k.type = 'requirement'
            and k.id >= $8::uuid and substr(k.id::text, 15, 14) = $7::text
    )
returning to_jsonb(t) - 'search'
