//! The lines of the access matrix, and what each of them shall be.

/// A row of a table and who may do what with it.
pub(crate) struct Case {
    /// The line in the file.
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    /// Which row: a condition. `{me}` is the subject of whoever asks.
    pub(crate) row: &'static str,
    /// Columns and values of another one; `None` if nobody shall add any.
    pub(crate) insert: Option<&'static str>,
    /// What an update sets.
    pub(crate) set: Option<&'static str>,
    /// Whether it has `deleted_at`.
    pub(crate) archived: bool,
    /// The letters of those who may select, insert, update, soft-delete and delete.
    pub(crate) may: [&'static str; 5],
}

/// Nobody can, by any grant, write here.
const fn read_only(
    name: &'static str,
    table: &'static str,
    row: &'static str,
    read: &'static str,
) -> Case {
    Case { name, table, row, insert: None, set: None, archived: false, may: [read, "", "", "", ""] }
}

/// What members work on.
const fn entity(
    table: &'static str,
    row: &'static str,
    insert: &'static str,
    set: &'static str,
) -> Case {
    Case {
        name: table,
        table,
        row,
        insert: Some(insert),
        set: Some(set),
        archived: true,
        may: ["oamv", "oam", "oam", "oam", "oa"],
    }
}

/// Functions: the line in the file, the call, the letters of those for whom it does something.
pub(crate) const CALLS: &[(&str, &str, &str)] = &[
    ("search_entities", "search_entities('dry')", "oamv"),
    ("record_query", "record_query($10, 'list', '0123456789abcdef', null, false, 1, 1)", "oamv"),
    ("rename_organization", "rename_organization($1, 'New', 1)", "oa"),
    ("change_role", "change_role($1, 'user_viewer', 'member')", "oa"),
    ("change_role, to owner", "change_role($1, 'user_viewer', 'owner')", "o"),
    ("change_role, one's own, to owner", "change_role($1, '{me}', 'owner')", "o"),
    ("remove_member", "remove_member($1, 'user_viewer')", "oav"),
    ("accept_invitation", "accept_invitation(repeat('a', 64))", "oamvxr"),
    ("move_workspace, to where one is nobody", "move_workspace($10, $2, 1)", ""),
    ("provision_member", "provision_member('user_new', 'org_new', 'owner', $99)", "s"),
    ("require_other_owner", "require_other_owner($1, 'user_viewer')", ""),
];

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "organizations",
        table: "organizations",
        row: "id = $1",
        insert: Some("(id, name) values ($9, 'New')"),
        set: Some("name = 'New'"),
        archived: false,
        may: ["oamv", "", "", "", ""],
    },
    Case {
        name: "memberships",
        table: "memberships",
        row: "organization_id = $1 and user_id = 'user_viewer'",
        insert: Some("(organization_id, user_id, role) values ($1, 'user_new', 'viewer')"),
        set: Some("role = 'owner'"),
        archived: false,
        may: ["oamv", "", "", "", ""],
    },
    Case {
        name: "invitations",
        table: "invitations",
        row: "id = $150",
        insert: Some(
            "(organization_id, email, role, token_hash)
                values ($1, 'a@example.com', 'admin', repeat('b', 64))",
        ),
        set: Some("revoked_at = now()"),
        archived: false,
        may: ["oa", "oa", "oa", "", "oa"],
    },
    Case {
        name: "invitations, of an owner",
        table: "invitations",
        row: "id = $150",
        insert: Some(
            "(organization_id, email, role, token_hash)
                values ($1, 'o@example.com', 'owner', repeat('b', 64))",
        ),
        set: None,
        archived: false,
        may: ["oa", "o", "", "", "oa"],
    },
    Case {
        name: "workspaces",
        table: "workspaces",
        row: "id = $10",
        insert: Some("(id, organization_id, name) values ($19, $1, 'New')"),
        set: Some("name = 'New'"),
        archived: true,
        may: ["oamv", "oam", "oam", "oa", "oa"],
    },
    Case {
        name: "projects",
        table: "projects",
        row: "id = $20",
        insert: Some("(organization_id, workspace_id, name) values ($1, $10, 'New')"),
        set: Some("name = 'New'"),
        archived: true,
        may: ["oamv", "oam", "oam", "oa", "oa"],
    },
    entity(
        "documents",
        "id = $30",
        "(organization_id, workspace_id, project_id, title) values ($1, $10, $20, 'New')",
        "title = 'New'",
    ),
    entity(
        "blocks",
        "id = $40",
        "(organization_id, workspace_id, project_id, document_id, position) values ($1, $10, $20, $30, 2)",
        "content = 'New'",
    ),
    entity(
        "requirements",
        "id = $50",
        "(organization_id, workspace_id, project_id, title) values ($1, $10, $20, 'New')",
        "title = 'New'",
    ),
    entity(
        "test_cases",
        "id = $60",
        "(organization_id, workspace_id, project_id, title) values ($1, $10, $20, 'New')",
        "title = 'New'",
    ),
    entity(
        "test_runs",
        "id = $70",
        "(organization_id, workspace_id, project_id, test_case_id) values ($1, $10, $20, $60)",
        "status = 'passed'",
    ),
    entity(
        "tasks",
        "id = $80",
        "(organization_id, workspace_id, project_id, title) values ($1, $10, $20, 'New')",
        "title = 'New'",
    ),
    entity(
        "relationships",
        "id = $110",
        "(organization_id, workspace_id, kind, source_id, target_id)
            values ($1, $10, 'dependency', $80, $60)",
        "label = 'blocks'",
    ),
    Case {
        name: "workflows",
        table: "workflows",
        row: "id = $90",
        insert: Some("(organization_id, workspace_id, name) values ($1, $10, 'New')"),
        set: Some("status = 'active'"),
        archived: true,
        may: ["oamv", "oa", "oa", "oa", "oa"],
    },
    Case {
        name: "workflow_steps",
        table: "workflow_steps",
        row: "id = $95",
        insert: Some(
            "(organization_id, workspace_id, workflow_id, number, name)
                values ($1, $10, $90, 2, 'New')",
        ),
        set: Some("name = 'New'"),
        archived: false,
        may: ["oamv", "oa", "oa", "", "oa"],
    },
    Case {
        name: "workflow_triggers",
        table: "workflow_triggers",
        row: "id = $97",
        insert: Some(
            "(organization_id, workspace_id, workflow_id, event) values ($1, $10, $90, 'manual')",
        ),
        set: Some("enabled = false"),
        archived: false,
        may: ["oamv", "oa", "oa", "", "oa"],
    },
    Case {
        name: "workflow_runs",
        table: "workflow_runs",
        row: "id = $100",
        insert: Some(
            "(organization_id, workspace_id, workflow_id, workflow_version) values ($1, $10, $90, 1)",
        ),
        set: Some("status = 'running'"),
        archived: false,
        may: ["oamv", "oam", "oam", "", ""],
    },
    Case {
        name: "workflow_step_results",
        table: "workflow_step_results",
        row: "id = $101",
        insert: Some(
            "(organization_id, workspace_id, workflow_id, run_id, step_id, number, attempt)
                values ($1, $10, $90, $100, $95, 1, 2)",
        ),
        set: Some("status = 'running'"),
        archived: false,
        may: ["oamv", "oam", "oam", "", ""],
    },
    Case {
        name: "saved_queries, shared by the owner",
        table: "saved_queries",
        row: "id = $120",
        insert: Some(
            "(organization_id, workspace_id, name, query, visibility)
                values ($1, $10, 'New', '{}', 'workspace')",
        ),
        set: Some("name = 'New'"),
        archived: true,
        may: ["oamv", "oam", "o", "o", "oa"],
    },
    Case {
        name: "saved_queries, private, one's own",
        table: "saved_queries",
        row: "name = 'Own' and created_by = '{me}'",
        insert: Some(
            "(organization_id, workspace_id, name, query) values ($1, $10, 'New', '{}')",
        ),
        set: Some("name = 'New'"),
        archived: true,
        may: ["oamv", "oamv", "oamv", "oamv", "oamv"],
    },
    Case {
        name: "saved_queries, private, the member's",
        table: "saved_queries",
        row: "name = 'Own' and created_by = 'user_member'",
        insert: None,
        set: Some("name = 'New'"),
        archived: true,
        may: ["m", "", "m", "m", "m"],
    },
    Case {
        name: "query_statistics",
        table: "query_statistics",
        row: "workspace_id = $10",
        insert: Some(
            "(organization_id, workspace_id, operation, fingerprint, day, executions, failures, rows,
                total_time, max_time) values ($1, $10, 'x', repeat('f', 16), now(), 1, 0, 1, 1, 1)",
        ),
        set: Some("executions = 9"),
        archived: false,
        may: ["oam", "", "", "", ""],
    },
    Case {
        name: "exports, the owner's",
        table: "exports",
        row: "id = $130",
        insert: Some("(organization_id, workspace_id, format) values ($1, $10, 'json')"),
        set: Some("status = 'running'"),
        archived: false,
        may: ["oas", "oam", "s", "", "oa"],
    },
    Case {
        name: "exports, one's own",
        table: "exports",
        row: "created_by = '{me}'",
        insert: None,
        set: Some("status = 'running'"),
        archived: false,
        may: ["oamv", "", "", "", "oamv"],
    },
    Case {
        name: "exports, expired",
        table: "exports",
        row: "id = $131",
        insert: None,
        set: Some("rows = 1"),
        archived: false,
        may: ["oas", "", "s", "", "oas"],
    },
    Case {
        name: "webhook_endpoints",
        table: "webhook_endpoints",
        row: "id = $140",
        insert: Some(
            "(organization_id, url, events, secret_sealed) values ($1, 'https://e.com', '{*}', 's')",
        ),
        set: Some("url = 'https://e.com'"),
        archived: false,
        may: ["oas", "oa", "oa", "", "oa"],
    },
    Case {
        name: "webhook_endpoints, whether enabled",
        table: "webhook_endpoints",
        row: "id = $140",
        insert: None,
        set: Some("enabled = false"),
        archived: false,
        may: ["oas", "", "oas", "", "oa"],
    },
    read_only(
        "webhook_endpoints, the secret",
        "webhook_endpoints",
        "id = $140 and secret_sealed <> ''",
        "s",
    ),
    Case {
        name: "webhook_deliveries",
        table: "webhook_deliveries",
        row: "endpoint_id = $140 and status = 'pending'",
        insert: Some(
            "(organization_id, endpoint_id, event_id, event_type, payload)
                values ($1, $140, $9, 'task.changed', '{}')",
        ),
        set: Some("attempts = 1"),
        archived: false,
        may: ["oas", "", "s", "", ""],
    },
    Case {
        name: "webhook_deliveries, old",
        table: "webhook_deliveries",
        row: "id = $141",
        insert: None,
        set: Some("error = 'x'"),
        archived: false,
        may: ["oas", "", "s", "", "s"],
    },
    Case {
        name: "change_events, of an entity",
        table: "change_events",
        row: "entity_id = $80 and verb = 'changed'",
        insert: Some(
            "(organization_id, entity_type, entity_id, verb) values ($1, 'task', $80, 'changed')",
        ),
        set: Some("actor = 'x'"),
        archived: false,
        may: ["oamv", "", "", "", ""],
    },
    read_only(
        "change_events, of the organization",
        "change_events",
        "entity_type = 'invitation' and organization_id = $1",
        "oa",
    ),
    Case {
        name: "entity_keys",
        table: "entity_keys",
        row: "id = $50",
        insert: Some(
            "(id, type, organization_id, workspace_id) values ($59, 'task', $1, $10)",
        ),
        set: Some("type = 'task'"),
        archived: true,
        may: ["oamv", "", "", "", ""],
    },
    read_only("entities (view)", "entities", "id = $50", "oamv"),
    read_only("live_relationships (view)", "live_relationships", "id = $110", "oamv"),
    Case {
        name: "relationship_rules",
        table: "relationship_rules",
        row: "kind = 'hierarchy' and source_type = 'task'",
        insert: Some("(kind, source_type, target_type) values ('hierarchy', 'task', 'user')"),
        set: Some("target_type = 'user'"),
        archived: false,
        may: ["oamvxrn", "", "", "", ""],
    },
    Case {
        name: "hierarchy_guards",
        table: "hierarchy_guards",
        row: "workspace_id = $10",
        insert: Some("(workspace_id) values ($11)"),
        set: Some("changes = 0"),
        archived: false,
        may: ["", "", "", "", ""],
    },
    Case {
        name: "oauth_clients",
        table: "oauth_clients",
        row: "client_id = 'client'",
        insert: Some("(client_id, name, kind) values ('new', 'New', 'public')"),
        set: Some("disabled = true"),
        archived: false,
        may: ["s", "s", "s", "", ""],
    },
    Case {
        name: "oauth_consents, one's own",
        table: "oauth_consents",
        row: "user_id = '{me}' and client_id = 'client'",
        insert: Some("(client_id, client_name, scopes) values ('new', 'New', '{}')"),
        set: Some("client_name = 'New'"),
        archived: false,
        may: ["oamvr", "oamvxr", "oamvr", "", "oamvr"],
    },
    Case {
        name: "oauth_consents, the member's",
        table: "oauth_consents",
        row: "user_id = 'user_member'",
        insert: Some("(user_id, client_id, client_name, scopes) values ('user_member', 'new', 'New', '{}')"),
        set: Some("client_name = 'New'"),
        archived: false,
        may: ["m", "", "m", "", "m"],
    },
    Case {
        name: "ledgers",
        table: "ledgers",
        row: "address = repeat('0', 32)",
        insert: Some("(address, document, version) values (repeat('1', 32), '{}', '1')"),
        set: Some("version = '2'"),
        archived: false,
        may: ["s", "s", "s", "", "s"],
    },
    Case {
        name: "audit_events, the member's",
        table: "audit_events",
        row: "subject = 'user_member'",
        insert: Some(
            r#"(hash, ledger, number, prev, seal, key_id, subject, event) values (repeat('f', 64),
                repeat('1', 32), 1, repeat('0', 64), repeat('0', 64), 1, 'x',
                '{"kind":"x","at":1,"outcome":"ok"}')"#,
        ),
        set: Some("subject = 'x'"),
        archived: false,
        may: ["ms", "s", "", "", ""],
    },
    Case {
        name: "audit_heads",
        table: "audit_heads",
        row: "ledger = repeat('0', 32)",
        insert: Some(
            "(ledger, number, hash, seal, key_id)
                values (repeat('1', 32), 1, repeat('0', 64), repeat('0', 64), 1)",
        ),
        set: Some("number = 2"),
        archived: false,
        may: ["s", "s", "s", "", ""],
    },
    Case {
        name: "audit_checkpoints",
        table: "audit_checkpoints",
        row: "ledger = repeat('0', 32)",
        insert: Some(
            "(ledger, number, hash, count, at, seal, key_id)
                values (repeat('1', 32), 1, repeat('0', 64), 1, 1, repeat('0', 64), 1)",
        ),
        set: Some("count = 9"),
        archived: false,
        may: ["s", "", "", "", ""],
    },
];
