-- Members that are absent stay. What its type does not have changes nothing.
with
a_project as (
    update app.projects as t set (
        name, description, status, attributes
    ) = (
        select n.name, n.description, n.status, n.attributes
        from jsonb_populate_record(
            t,
            $4::jsonb || case when $4::jsonb ? 'title'
                then jsonb_build_object('name', $4::jsonb -> 'title') else '{}' end
        ) as n
    )
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
        and $4::jsonb - array['title', 'description', 'status', 'attributes'] = '{}'
    returning to_jsonb(t) - 'search' as record
),
a_document as (
    update app.documents as t set (
        external_id, title, description, kind, status, attributes
    ) = (
        select n.external_id, n.title, n.description, n.kind, n.status, n.attributes
        from jsonb_populate_record(t, $4::jsonb) as n
    )
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
        and $4::jsonb - array['external_id', 'title', 'description', 'kind', 'status', 'attributes'] = '{}'
    returning to_jsonb(t) - 'search' as record
),
a_block as (
    update app.blocks as t set (
        kind, position, level, content, attributes
    ) = (
        select n.kind, n.position, n.level, coalesce(n.content, ''), n.attributes
        from jsonb_populate_record(
            t,
            $4::jsonb || case when $4::jsonb ? 'description'
                then jsonb_build_object('content', $4::jsonb -> 'description') else '{}' end
        ) as n
    )
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
        and $4::jsonb - array['kind', 'position', 'level', 'description', 'attributes'] = '{}'
    returning to_jsonb(t) - 'search' as record
),
a_requirement as (
    update app.requirements as t set (
        block_id, external_id, title, statement, rationale, acceptance_criteria, kind, level, priority,
        status, ears_pattern, ears_feature, ears_state, ears_trigger, ears_system, ears_response,
        verification_method, incose_met, incose_score, incose_findings, attributes
    ) = (
        select n.block_id, n.external_id, n.title, coalesce(n.statement, ''), n.rationale,
               n.acceptance_criteria, n.kind, n.level, n.priority, n.status, n.ears_pattern,
               n.ears_feature, n.ears_state, n.ears_trigger, n.ears_system, n.ears_response,
               n.verification_method, n.incose_met, n.incose_score, n.incose_findings, n.attributes
        from jsonb_populate_record(
            t,
            $4::jsonb || case when $4::jsonb ? 'description'
                then jsonb_build_object('statement', $4::jsonb -> 'description') else '{}' end
        ) as n
    )
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
        and $4::jsonb - array['block_id', 'external_id', 'title', 'description', 'rationale',
            'acceptance_criteria', 'kind', 'level', 'priority', 'status',
            'ears_pattern', 'ears_feature', 'ears_state', 'ears_trigger', 'ears_system',
            'ears_response', 'verification_method', 'incose_met', 'incose_score',
            'incose_findings', 'attributes'] = '{}'
    returning to_jsonb(t) - 'search' as record
),
a_test_case as (
    update app.test_cases as t set (
        external_id, title, description, preconditions, steps, kind, method, priority, status,
        attributes
    ) = (
        select n.external_id, n.title, n.description, n.preconditions, n.steps, n.kind, n.method,
               n.priority, n.status, n.attributes
        from jsonb_populate_record(t, $4::jsonb) as n
    )
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
        and $4::jsonb - array['external_id', 'title', 'description', 'preconditions', 'steps', 'kind',
            'method', 'priority', 'status', 'attributes'] = '{}'
    returning to_jsonb(t) - 'search' as record
),
a_test_run as (
    update app.test_runs as t set (
        status, environment, build, notes, results, started_at, finished_at, attributes
    ) = (
        select n.status, n.environment, n.build, n.notes, n.results, n.started_at, n.finished_at,
               n.attributes
        from jsonb_populate_record(
            t,
            $4::jsonb || case when $4::jsonb ? 'description'
                then jsonb_build_object('notes', $4::jsonb -> 'description') else '{}' end
        ) as n
    )
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
        and $4::jsonb - array['status', 'environment', 'build', 'description', 'results', 'started_at',
            'finished_at', 'attributes'] = '{}'
    returning to_jsonb(t) - 'search' || (
        select jsonb_build_object('title', c.title) from app.test_cases as c where c.id = t.test_case_id
    ) as record
),
a_task as (
    update app.tasks as t set (
        external_id, title, description, priority, status, due_on, estimate, attributes
    ) = (
        select n.external_id, n.title, n.description, n.priority, n.status, n.due_on, n.estimate,
               n.attributes
        from jsonb_populate_record(t, $4::jsonb) as n
    )
    where t.id = $1::uuid and t.organization_id = $2::uuid and t.deleted_at is null
        and ($3::bigint is null or t.version = $3::bigint)
        and $4::jsonb - array['external_id', 'title', 'description', 'priority', 'status', 'due_on',
            'estimate', 'attributes'] = '{}'
    returning to_jsonb(t) - 'search' as record
)
select 'project', a.record from a_project as a
union all
select 'document', a.record from a_document as a
union all
select 'block', a.record from a_block as a
union all
select 'requirement', a.record from a_requirement as a
union all
select 'test_case', a.record from a_test_case as a
union all
select 'test_run', a.record from a_test_run as a
union all
select 'task', a.record from a_task as a
