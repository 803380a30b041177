do $$
declare
    found text;
begin
    -- All policies, whoever they are for: one more of them, or another condition, lets people in.
    -- Conditions read as Postgres prints them without a search path, but for the organizations of a role,
    -- <role>, and the caller, <user>.
    perform set_config('search_path', 'pg_catalog', true);
    with access (name, reads, creates, changes, erases) as (
        -- The least role that reads, creates, changes and erases; null: nobody does.
        values
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
    ),
    expected (tablename, policyname, roles, cmd, qual, with_check) as (
        select name, 'user_read', '{authenticated}', 'SELECT', format('(organization_id = ANY <%s>)', reads), ''
        from access where reads is not null
        union all
        select name, 'user_create', '{authenticated}', 'INSERT', '',
            format('((organization_id = ANY <%s>) AND (created_by = <user>))', creates)
        from access where creates is not null
        union all
        select name, 'user_change', '{authenticated}', 'UPDATE',
            format('(organization_id = ANY <%s>)', changes), format('(organization_id = ANY <%s>)', changes)
        from access where changes is not null
        union all
        select name, 'user_erase', '{authenticated}', 'DELETE', format('(organization_id = ANY <%s>)', erases), ''
        from access where erases is not null
        union all
        select name, 'owner_all', '{atoms_owner}', 'ALL', 'true', 'true'
        from access
        union all
        values
            ('exports', 'owner_all', '{atoms_owner}', 'ALL', 'true', 'true'),
            ('hierarchy_guards', 'owner_all', '{atoms_owner}', 'ALL', 'true', 'true'),
            ('invitations', 'owner_all', '{atoms_owner}', 'ALL', 'true', 'true'),
            ('saved_queries', 'owner_all', '{atoms_owner}', 'ALL', 'true', 'true'),
            ('change_events', 'owner_add', '{atoms_owner}', 'INSERT',
                '',
                'true'),
            ('change_events', 'user_read', '{authenticated}', 'SELECT',
                '((organization_id = ANY <admin>) OR ((entity_type = ANY (ARRAY[''workspace''::text, '
                '''project''::text, ''document''::text, ''block''::text, ''requirement''::text, '
                '''test_case''::text, ''test_run''::text, ''task''::text, ''workflow''::text, '
                '''workflow_step''::text, ''workflow_trigger''::text, ''workflow_run''::text, '
                '''relationship''::text])) AND (organization_id = ANY <viewer>)))',
                ''),
            ('exports', 'service_change', '{atoms_service}', 'UPDATE',
                'true',
                'true'),
            ('exports', 'service_forget', '{atoms_service}', 'DELETE',
                '(expires_at < now())',
                ''),
            ('exports', 'service_read', '{atoms_service}', 'SELECT',
                'true',
                ''),
            ('exports', 'user_create', '{authenticated}', 'INSERT',
                '',
                '((organization_id = ANY <member>) AND (created_by = <user>))'),
            ('exports', 'user_erase', '{authenticated}', 'DELETE',
                '((organization_id = ANY <admin>) OR ((organization_id = ANY <viewer>) AND '
                '(created_by = <user>)))',
                ''),
            ('exports', 'user_read', '{authenticated}', 'SELECT',
                '((organization_id = ANY <admin>) OR ((organization_id = ANY <viewer>) AND '
                '(created_by = <user>)))',
                ''),
            ('invitations', 'user_change', '{authenticated}', 'UPDATE',
                '(organization_id = ANY <admin>)',
                '(organization_id = ANY <admin>)'),
            ('invitations', 'user_create', '{authenticated}', 'INSERT',
                '',
                '((created_by = <user>) AND (organization_id = ANY ( CASE role WHEN ''owner''::text '
                'THEN <owner[]> ELSE <admin[]> END)))'),
            ('invitations', 'user_erase', '{authenticated}', 'DELETE',
                '(organization_id = ANY <admin>)',
                ''),
            ('invitations', 'user_read', '{authenticated}', 'SELECT',
                '(organization_id = ANY <admin>)',
                ''),
            ('relationship_rules', 'user_read', '{authenticated}', 'SELECT',
                'true',
                ''),
            ('saved_queries', 'user_change', '{authenticated}', 'UPDATE',
                '((created_by = <user>) AND (organization_id = ANY <viewer>))',
                '(organization_id = ANY ( CASE visibility WHEN ''private''::text THEN <viewer[]> ELSE '
                '<member[]> END))'),
            ('saved_queries', 'user_create', '{authenticated}', 'INSERT',
                '',
                '((created_by = <user>) AND (organization_id = ANY ( CASE visibility WHEN '
                '''private''::text THEN <viewer[]> ELSE <member[]> END)))'),
            ('saved_queries', 'user_erase', '{authenticated}', 'DELETE',
                '(((organization_id = ANY <viewer>) AND (created_by = <user>)) OR ((organization_id = '
                'ANY <admin>) AND (visibility = ''workspace''::text)))',
                ''),
            ('saved_queries', 'user_read', '{authenticated}', 'SELECT',
                '((organization_id = ANY <viewer>) AND ((visibility = ''workspace''::text) OR '
                '(created_by = <user>)))',
                ''),
            ('webhook_deliveries', 'service_change', '{atoms_service}', 'UPDATE',
                'true',
                'true'),
            ('webhook_deliveries', 'service_forget', '{atoms_service}', 'DELETE',
                '((status <> ''pending''::text) AND (created_at < (now() - ''1 day''::interval)))',
                ''),
            ('webhook_deliveries', 'service_read', '{atoms_service}', 'SELECT',
                'true',
                ''),
            ('webhook_endpoints', 'service_change', '{atoms_service}', 'UPDATE',
                'true',
                'true'),
            ('webhook_endpoints', 'service_read', '{atoms_service}', 'SELECT',
                'true',
                '')
    ),
    actual as (
        select p.tablename::text, p.policyname::text, p.roles::text, p.cmd,
            coalesce(p.qual, '') as qual, coalesce(p.with_check, '') as with_check
        from pg_policies as p
        where p.schemaname = 'app' and p.permissive = 'PERMISSIVE'
            and p.tablename in (select tablename from expected)
    ),
    shortened as (
        select tablename, policyname, roles, cmd,
            max(short) filter (where part = 1) as qual, max(short) filter (where part = 2) as with_check
        from actual,
            unnest(array[qual, with_check]) with ordinality as parts (text, part),
            replace(text, '( SELECT app.user_id() AS user_id)', '<user>') as users,
            regexp_replace(users, '\( SELECT app\.organization_ids\(''(\w+)''::text\) AS organization_ids\)',
                '<\1[]>', 'g') as arrays,
            regexp_replace(arrays, '\(<(\w+)\[\]>::uuid\[\]\)', '<\1>', 'g') as roles_of,
            regexp_replace(roles_of, '\s+', ' ', 'g') as short
        group by tablename, policyname, roles, cmd
    )
    select string_agg(distinct format('%s.%s', tablename, policyname), ', ') into found
    from expected
    full join shortened using (tablename, policyname, roles, cmd, qual, with_check)
    where expected is null or shortened is null;
    if found is not null then
        raise exception '0037_access: policies differ: %', found;
    end if;

    -- By column: a list of names, '*' for the whole table.
    with expected (role, name, reads, creates, changes, erases) as (
        values
            ('authenticated', 'blocks',
                '*',
                'id organization_id workspace_id project_id document_id kind position level content '
                'attributes',
                'kind position level content attributes deleted_at',
                '*'),
            ('authenticated', 'change_events', '*', '', '', ''),
            ('authenticated', 'documents',
                '*',
                'id organization_id workspace_id project_id title description kind status external_id '
                'attributes',
                'title description kind status external_id attributes deleted_at',
                '*'),
            ('authenticated', 'entities', '*', '', '', ''),
            ('authenticated', 'entity_keys', '*', '', '', ''),
            ('authenticated', 'exports',
                '*',
                'id organization_id workspace_id project_id format filter',
                '',
                '*'),
            ('authenticated', 'invitations',
                'id organization_id email role expires_at accepted_at accepted_by revoked_at '
                'created_by created_at updated_by updated_at version',
                'id organization_id email role token_hash expires_at',
                'revoked_at',
                '*'),
            ('authenticated', 'live_relationships', '*', '', '', ''),
            ('authenticated', 'projects',
                '*',
                'id organization_id workspace_id name description status attributes',
                'name description status attributes deleted_at',
                '*'),
            ('authenticated', 'query_statistics', '*', '', '', ''),
            ('authenticated', 'relationship_rules', '*', '', '', ''),
            ('authenticated', 'relationships',
                '*',
                'id organization_id workspace_id kind source_id target_id target_user_id label attributes',
                'label attributes deleted_at',
                '*'),
            ('authenticated', 'requirements',
                '*',
                'id organization_id workspace_id project_id document_id block_id external_id title '
                'statement rationale acceptance_criteria kind level priority status ears_pattern '
                'ears_feature ears_state ears_trigger ears_system ears_response verification_method '
                'incose_met incose_score incose_findings attributes',
                'document_id block_id external_id title statement rationale acceptance_criteria kind '
                'level priority status ears_pattern ears_feature ears_state ears_trigger ears_system '
                'ears_response verification_method incose_met incose_score incose_findings attributes '
                'deleted_at',
                '*'),
            ('authenticated', 'saved_queries',
                '*',
                'id organization_id workspace_id name description query visibility',
                'name description query visibility deleted_at',
                '*'),
            ('authenticated', 'tasks',
                '*',
                'id organization_id workspace_id project_id external_id title description priority '
                'status due_on estimate attributes',
                'external_id title description priority status due_on estimate attributes deleted_at',
                '*'),
            ('authenticated', 'test_cases',
                '*',
                'id organization_id workspace_id project_id external_id title description '
                'preconditions steps kind method priority status attributes',
                'external_id title description preconditions steps kind method priority status '
                'attributes deleted_at',
                '*'),
            ('authenticated', 'test_runs',
                '*',
                'id organization_id workspace_id project_id test_case_id status environment build '
                'notes results started_at finished_at attributes',
                'status environment build notes results started_at finished_at attributes deleted_at',
                '*'),
            ('authenticated', 'webhook_deliveries', '*', '', '', ''),
            ('authenticated', 'webhook_endpoints',
                'id organization_id workspace_id url description events enabled failures '
                'disabled_reason created_by created_at updated_by updated_at version',
                'id organization_id workspace_id url description events secret_sealed enabled',
                'url description events secret_sealed enabled',
                '*'),
            ('authenticated', 'workflow_runs',
                '*',
                'id organization_id workspace_id workflow_id workflow_version trigger_id subject_id '
                'subject_type status input output error idempotency_key started_at finished_at',
                'status output error started_at finished_at',
                ''),
            ('authenticated', 'workflow_step_results',
                '*',
                'id organization_id workspace_id workflow_id run_id step_id number attempt status '
                'output error started_at finished_at',
                'status output error started_at finished_at',
                ''),
            ('authenticated', 'workflow_steps',
                '*',
                'id organization_id workspace_id workflow_id number name kind config condition '
                'on_failure max_attempts timeout',
                'number name kind config condition on_failure max_attempts timeout',
                '*'),
            ('authenticated', 'workflow_triggers',
                '*',
                'id organization_id workspace_id workflow_id event entity_type condition schedule enabled',
                'event entity_type condition schedule enabled',
                '*'),
            ('authenticated', 'workflows',
                '*',
                'id organization_id workspace_id project_id name description status attributes',
                'name description status attributes deleted_at',
                '*'),
            ('authenticated', 'workspaces',
                '*',
                'id organization_id name description',
                'name description deleted_at',
                '*'),
            ('atoms_service', 'exports',
                '*',
                '',
                'status content location rows error started_at finished_at expires_at',
                '*'),
            ('atoms_service', 'webhook_deliveries',
                '*',
                '',
                'status attempts next_attempt_at response_status error delivered_at',
                '*'),
            ('atoms_service', 'webhook_endpoints',
                '*',
                '',
                'enabled failures disabled_reason',
                '')
    ),
    columns as (
        select role, c.relname::text as name, privilege,
            coalesce(string_agg(a.attname, ' ' order by a.attnum)
                filter (where has_column_privilege(role, c.oid, a.attnum, privilege)), '') as granted,
            has_table_privilege(role, c.oid, privilege) as whole
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        cross join unnest(array['authenticated', 'atoms_service']) as role
        cross join unnest(array['SELECT', 'INSERT', 'UPDATE']) as privilege
        where c.relnamespace = 'app'::regnamespace
            and (c.relname in (select name from expected) or c.relname = 'hierarchy_guards')
        group by role, c.relname, c.oid, privilege
    ),
    actual as (
        select role, name,
            max(case when whole then '*' else granted end) filter (where privilege = 'SELECT') as reads,
            max(case when whole then '*' else granted end) filter (where privilege = 'INSERT') as creates,
            max(case when whole then '*' else granted end) filter (where privilege = 'UPDATE') as changes,
            case when has_table_privilege(role, 'app.' || name, 'DELETE') then '*' else '' end as erases,
            has_table_privilege(role, 'app.' || name, 'TRUNCATE, REFERENCES, TRIGGER') as more
        from columns group by role, name
    )
    select string_agg(distinct format('%s on %s', actual.role, actual.name), ', ') into found
    from actual left join expected using (role, name)
    where more or (actual.reads, actual.creates, actual.changes, actual.erases) is distinct from (
        coalesce(expected.reads, ''), coalesce(expected.creates, ''), coalesce(expected.changes, ''),
        coalesce(expected.erases, '')
    );
    if found is not null then
        raise exception '0037_access: grants differ: %', found;
    end if;

    if exists (
        select from pg_class
        where relnamespace = 'app'::regnamespace and relkind = 'r'
            and not (relrowsecurity and relforcerowsecurity and pg_get_userbyid(relowner) = 'atoms_owner')
    ) then
        raise exception '0037_access: a table is without forced row security or of another owner';
    end if;
end
$$;
