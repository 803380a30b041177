-- Who may do what in the model: policies by the role of the caller's membership, and grants by column.
-- Everything asks through app.organization_ids. docs/access-matrix.md is what a test has found of it.

set role atoms_owner;

do $$
declare
    c_is constant text := 'organization_id = any ((select app.organization_ids(%L))::uuid[])';
    r record;
begin
    -- The least role that reads, creates, changes and erases; null: nobody does.
    for r in
        select * from (values
            ('entity_keys', 'viewer', null, null, null),
            ('projects', 'viewer', 'member', 'member', 'admin'),
            ('documents', 'viewer', 'member', 'member', 'admin'),
            ('blocks', 'viewer', 'member', 'member', 'admin'),
            ('requirements', 'viewer', 'member', 'member', 'admin'),
            ('test_cases', 'viewer', 'member', 'member', 'admin'),
            ('test_runs', 'viewer', 'member', 'member', 'admin'),
            ('tasks', 'viewer', 'member', 'member', 'admin'),
            ('relationships', 'viewer', 'member', 'member', 'admin'),
            ('workflows', 'viewer', 'admin', 'admin', 'admin'),
            ('workflow_steps', 'viewer', 'admin', 'admin', 'admin'),
            ('workflow_triggers', 'viewer', 'admin', 'admin', 'admin'),
            ('workflow_runs', 'viewer', 'member', 'member', null),
            ('workflow_step_results', 'viewer', 'member', 'member', null),
            ('query_statistics', 'member', null, null, null),
            ('webhook_endpoints', 'admin', 'admin', 'admin', 'admin'),
            ('webhook_deliveries', 'admin', null, null, null)
        ) as access (name, reads, creates, changes, erases)
    loop
        execute format(
            'create policy user_read on app.%I for select to authenticated using (%s)',
            r.name, format(c_is, r.reads)
        );
        if r.creates is not null then
            execute format(
                'create policy user_create on app.%I for insert to authenticated
                    with check (%s and created_by = (select app.user_id()))',
                r.name, format(c_is, r.creates)
            );
        end if;
        if r.changes is not null then
            execute format(
                'create policy user_change on app.%I for update to authenticated using (%s) with check (%s)',
                r.name, format(c_is, r.changes), format(c_is, r.changes)
            );
        end if;
        if r.erases is not null then
            execute format(
                'create policy user_erase on app.%I for delete to authenticated using (%s)',
                r.name, format(c_is, r.erases)
            );
        end if;
    end loop;
end
$$;

-- The rules say nothing of anybody.
create policy user_read on app.relationship_rules for select to authenticated using (true);

-- Admins see everything that happened in the organization, the others what happened to the entities that
-- they see.
create policy user_read on app.change_events for select to authenticated
    using (
        organization_id = any ((select app.organization_ids('admin'))::uuid[])
        or entity_type in (
            'workspace', 'project', 'document', 'block', 'requirement', 'test_case', 'test_run', 'task',
            'workflow', 'workflow_step', 'workflow_trigger', 'workflow_run', 'relationship'
        ) and organization_id = any ((select app.organization_ids('viewer'))::uuid[])
    );

-- Nobody invites others to a role above their own.
create policy user_read on app.invitations for select to authenticated
    using (organization_id = any ((select app.organization_ids('admin'))::uuid[]));
create policy user_create on app.invitations for insert to authenticated
    with check (
        created_by = (select app.user_id())
        and organization_id = any (
            case role
                when 'owner' then (select app.organization_ids('owner'))
                else (select app.organization_ids('admin'))
            end
        )
    );
create policy user_change on app.invitations for update to authenticated
    using (organization_id = any ((select app.organization_ids('admin'))::uuid[]))
    with check (organization_id = any ((select app.organization_ids('admin'))::uuid[]));
create policy user_erase on app.invitations for delete to authenticated
    using (organization_id = any ((select app.organization_ids('admin'))::uuid[]));

-- A private query is its maker's alone. To let others see it takes the role member.
create policy user_read on app.saved_queries for select to authenticated
    using (
        organization_id = any ((select app.organization_ids('viewer'))::uuid[])
        and (visibility = 'workspace' or created_by = (select app.user_id()))
    );
create policy user_create on app.saved_queries for insert to authenticated
    with check (
        created_by = (select app.user_id())
        and organization_id = any (
            case visibility
                when 'private' then (select app.organization_ids('viewer'))
                else (select app.organization_ids('member'))
            end
        )
    );
create policy user_change on app.saved_queries for update to authenticated
    using (
        created_by = (select app.user_id())
        and organization_id = any ((select app.organization_ids('viewer'))::uuid[])
    )
    with check (
        organization_id = any (
            case visibility
                when 'private' then (select app.organization_ids('viewer'))
                else (select app.organization_ids('member'))
            end
        )
    );
create policy user_erase on app.saved_queries for delete to authenticated
    using (
        organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and created_by = (select app.user_id())
        or organization_id = any ((select app.organization_ids('admin'))::uuid[]) and visibility = 'workspace'
    );

-- Exports are of those who ordered them, and of admins.
create policy user_read on app.exports for select to authenticated
    using (
        organization_id = any ((select app.organization_ids('admin'))::uuid[])
        or organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and created_by = (select app.user_id())
    );
create policy user_create on app.exports for insert to authenticated
    with check (
        organization_id = any ((select app.organization_ids('member'))::uuid[])
        and created_by = (select app.user_id())
    );
create policy user_erase on app.exports for delete to authenticated
    using (
        organization_id = any ((select app.organization_ids('admin'))::uuid[])
        or organization_id = any ((select app.organization_ids('viewer'))::uuid[])
            and created_by = (select app.user_id())
    );

-- The service makes exports and delivers to webhooks, and forgets both when they are old.
create policy service_read on app.exports for select to atoms_service using (true);
create policy service_change on app.exports for update to atoms_service using (true) with check (true);
create policy service_forget on app.exports for delete to atoms_service using (expires_at < now());
create policy service_read on app.webhook_endpoints for select to atoms_service using (true);
create policy service_change on app.webhook_endpoints for update to atoms_service using (true) with check (true);
create policy service_read on app.webhook_deliveries for select to atoms_service using (true);
create policy service_change on app.webhook_deliveries for update to atoms_service using (true) with check (true);
create policy service_forget on app.webhook_deliveries for delete to atoms_service
    using (status <> 'pending' and created_at < now() - interval '1 day');

-- By column: where a row belongs is said once; who made it, when, and its version are ours to say.
grant update (deleted_at) on app.workspaces to authenticated;

grant select on app.entity_keys, app.entities, app.live_relationships, app.relationship_rules,
    app.change_events, app.query_statistics, app.webhook_deliveries to authenticated;

grant select, delete on app.projects to authenticated;
grant insert (id, organization_id, workspace_id, name, description, status, attributes)
    on app.projects to authenticated;
grant update (name, description, status, attributes, deleted_at) on app.projects to authenticated;

grant select, delete on app.documents to authenticated;
grant insert (id, organization_id, workspace_id, project_id, external_id, title, description, kind, status,
    attributes) on app.documents to authenticated;
grant update (external_id, title, description, kind, status, attributes, deleted_at)
    on app.documents to authenticated;

grant select, delete on app.blocks to authenticated;
grant insert (id, organization_id, workspace_id, project_id, document_id, kind, position, level, content,
    attributes) on app.blocks to authenticated;
grant update (kind, position, level, content, attributes, deleted_at) on app.blocks to authenticated;

grant select, delete on app.requirements to authenticated;
grant insert (id, organization_id, workspace_id, project_id, document_id, block_id, external_id, title,
    statement, rationale, acceptance_criteria, kind, level, priority, status, ears_pattern, ears_feature,
    ears_state, ears_trigger, ears_system, ears_response, verification_method, incose_met, incose_score,
    incose_findings, attributes) on app.requirements to authenticated;
grant update (document_id, block_id, external_id, title, statement, rationale, acceptance_criteria, kind,
    level, priority, status, ears_pattern, ears_feature, ears_state, ears_trigger, ears_system,
    ears_response, verification_method, incose_met, incose_score, incose_findings, attributes, deleted_at)
    on app.requirements to authenticated;

grant select, delete on app.test_cases to authenticated;
grant insert (id, organization_id, workspace_id, project_id, external_id, title, description,
    preconditions, steps, kind, method, priority, status, attributes) on app.test_cases to authenticated;
grant update (external_id, title, description, preconditions, steps, kind, method, priority, status,
    attributes, deleted_at) on app.test_cases to authenticated;

grant select, delete on app.test_runs to authenticated;
grant insert (id, organization_id, workspace_id, project_id, test_case_id, status, environment, build,
    notes, results, started_at, finished_at, attributes) on app.test_runs to authenticated;
grant update (status, environment, build, notes, results, started_at, finished_at, attributes, deleted_at)
    on app.test_runs to authenticated;

grant select, delete on app.tasks to authenticated;
grant insert (id, organization_id, workspace_id, project_id, external_id, title, description, priority,
    status, due_on, estimate, attributes) on app.tasks to authenticated;
grant update (external_id, title, description, priority, status, due_on, estimate, attributes, deleted_at)
    on app.tasks to authenticated;

grant select, delete on app.relationships to authenticated;
grant insert (id, organization_id, workspace_id, kind, source_id, target_id, target_user_id, label,
    attributes) on app.relationships to authenticated;
grant update (label, attributes, deleted_at) on app.relationships to authenticated;

grant select, delete on app.workflows, app.workflow_steps, app.workflow_triggers to authenticated;
grant insert (id, organization_id, workspace_id, project_id, name, description, status, attributes)
    on app.workflows to authenticated;
grant update (name, description, status, attributes, deleted_at) on app.workflows to authenticated;
grant insert (id, organization_id, workspace_id, workflow_id, number, name, kind, config, condition,
    on_failure, max_attempts, timeout) on app.workflow_steps to authenticated;
grant update (number, name, kind, config, condition, on_failure, max_attempts, timeout)
    on app.workflow_steps to authenticated;
grant insert (id, organization_id, workspace_id, workflow_id, event, entity_type, condition, schedule,
    enabled) on app.workflow_triggers to authenticated;
grant update (event, entity_type, condition, schedule, enabled) on app.workflow_triggers to authenticated;

grant select on app.workflow_runs, app.workflow_step_results to authenticated;
grant insert (id, organization_id, workspace_id, workflow_id, workflow_version, trigger_id, subject_id,
    subject_type, status, input, output, error, idempotency_key, started_at, finished_at)
    on app.workflow_runs to authenticated;
grant update (status, output, error, started_at, finished_at) on app.workflow_runs to authenticated;
grant insert (id, organization_id, workspace_id, workflow_id, run_id, step_id, number, attempt, status,
    output, error, started_at, finished_at) on app.workflow_step_results to authenticated;
grant update (status, output, error, started_at, finished_at) on app.workflow_step_results to authenticated;

grant select, delete on app.saved_queries to authenticated;
grant insert (id, organization_id, workspace_id, name, description, query, visibility)
    on app.saved_queries to authenticated;
grant update (name, description, query, visibility, deleted_at) on app.saved_queries to authenticated;

grant select, delete on app.exports to authenticated;
grant insert (id, organization_id, workspace_id, project_id, format, filter) on app.exports to authenticated;

-- Not the hashes of tokens and not the secrets.
grant select (id, organization_id, email, role, expires_at, accepted_at, accepted_by, revoked_at, created_by,
    created_at, updated_by, updated_at, version) on app.invitations to authenticated;
grant insert (id, organization_id, email, role, token_hash, expires_at) on app.invitations to authenticated;
grant update (revoked_at) on app.invitations to authenticated;
grant delete on app.invitations to authenticated;

grant select (id, organization_id, workspace_id, url, description, events, enabled, failures, disabled_reason,
    created_by, created_at, updated_by, updated_at, version) on app.webhook_endpoints to authenticated;
grant insert (id, organization_id, workspace_id, url, description, events, secret_sealed, enabled)
    on app.webhook_endpoints to authenticated;
grant update (url, description, events, secret_sealed, enabled) on app.webhook_endpoints to authenticated;
grant delete on app.webhook_endpoints to authenticated;

grant select, delete on app.exports to atoms_service;
grant update (status, content, location, rows, error, started_at, finished_at, expires_at)
    on app.exports to atoms_service;
grant select on app.webhook_endpoints to atoms_service;
grant update (enabled, failures, disabled_reason) on app.webhook_endpoints to atoms_service;
grant select, delete on app.webhook_deliveries to atoms_service;
grant update (status, attempts, next_attempt_at, response_status, error, delivered_at)
    on app.webhook_deliveries to atoms_service;

reset role;
