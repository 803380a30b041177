//! Bad input at the database: every check of the model's tables has a value here that it refuses.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Cluster, SUPERUSER};
use crate::world::{MEMBER, OWNER, Session, refused, world};
use sqlx::{AssertSqlSafe, Row};

/// Tables of before the model; their checks are tried elsewhere.
const OTHERS: &str =
    "'organizations', 'memberships', 'workspaces', 'oauth_clients', 'oauth_consents',
    'ledgers', 'audit_events', 'audit_heads', 'audit_checkpoints'";

/// What an update sets so that the check alone objects.
const SPECIAL: &[(&str, &str)] = &[
    ("blocks_level_kind", "kind = 'heading'"),
    ("blocks_level_range", "kind = 'heading', level = 7"),
    ("blocks_position_positive", "position = 0"),
    ("exports_content_status", "content = 'x'"),
    (
        "exports_content_length",
        "status = 'succeeded', finished_at = now(), content = repeat('x', 8388609)",
    ),
    (
        "exports_location_length",
        "status = 'succeeded', finished_at = now(), location = repeat('x', 2001)",
    ),
    (
        "exports_finished_at_order",
        "status = 'failed', started_at = now(), finished_at = now() - interval '1 second'",
    ),
    ("exports_finished_at_status", "finished_at = now()"),
    ("exports_rows_range", "rows = -1"),
    ("invitations_accepted_whole", "accepted_at = now()"),
    ("invitations_email_form", "email = 'a b@example.com'"),
    ("invitations_expires_at_range", "expires_at = now() + interval '31 days'"),
    ("invitations_one_end", "accepted_at = now(), accepted_by = 'x', revoked_at = now()"),
    ("query_statistics_executions_positive", "executions = 0, failures = 0"),
    ("query_statistics_failures_range", "failures = 2"),
    ("query_statistics_max_time_range", "max_time = total_time + 1"),
    ("query_statistics_rows_range", "rows = -1"),
    (
        "relationships_not_self",
        "target_id = source_id, target_user_id = null, target_type = source_type",
    ),
    ("relationships_one_target", "target_id = null, target_user_id = null, target_type = 'task'"),
    (
        "relationships_target_user_type",
        "target_type = 'other', target_id = null, target_user_id = 'user_viewer'",
    ),
    ("relationships_trace_link_label", "kind = 'trace_link', label = null"),
    ("requirements_block_document", "document_id = null"),
    (
        "requirements_ears_response_length",
        "ears_pattern = 'complex', ears_feature = 'x', ears_state = 'x', ears_trigger = 'x', ears_system = 'x', ears_response = repeat('x', 5001)",
    ),
    (
        "requirements_ears_state_length",
        "ears_pattern = 'complex', ears_feature = 'x', ears_state = repeat('x', 5001), ears_trigger = 'x', ears_system = 'x', ears_response = 'x'",
    ),
    (
        "requirements_ears_system_length",
        "ears_pattern = 'complex', ears_feature = 'x', ears_state = 'x', ears_trigger = 'x', ears_system = repeat('x', 5001), ears_response = 'x'",
    ),
    (
        "requirements_ears_trigger_length",
        "ears_pattern = 'complex', ears_feature = 'x', ears_state = 'x', ears_trigger = repeat('x', 5001), ears_system = 'x', ears_response = 'x'",
    ),
    (
        "requirements_ears_feature_length",
        "ears_pattern = 'complex', ears_feature = repeat('x', 5001), ears_state = 'x', ears_trigger = 'x', ears_system = 'x', ears_response = 'x'",
    ),
    ("requirements_ears_parts", "ears_response = 'stop'"),
    ("requirements_ears_whole", "ears_pattern = 'ubiquitous', ears_system = 'pump'"),
    ("requirements_incose_met_known", "incose_met = '{necessary,beautiful}'"),
    ("requirements_incose_score_range", "incose_score = 101"),
    ("tasks_estimate_range", "estimate = -1"),
    (
        "test_runs_finished_at_order",
        "status = 'passed', started_at = now(), finished_at = now() - interval '1 second'",
    ),
    ("test_runs_finished_at_status", "finished_at = now()"),
    ("webhook_deliveries_attempts_range", "attempts = 101"),
    ("webhook_deliveries_delivered_at_status", "status = 'failed', delivered_at = now()"),
    ("webhook_deliveries_response_status_range", "response_status = 99"),
    ("webhook_endpoints_events_count", "events = '{}'"),
    ("webhook_endpoints_events_form", "events = '{task.changed,Tasks}'"),
    ("webhook_endpoints_failures_range", "failures = -1"),
    ("webhook_endpoints_url_form", "url = 'http://example.com'"),
    (
        "workflow_runs_finished_at_order",
        "status = 'failed', started_at = now(), finished_at = now() - interval '1 second'",
    ),
    ("workflow_runs_finished_at_status", "status = 'failed'"),
    ("workflow_runs_subject_whole", "subject_id = id"),
    ("workflow_step_results_attempt_range", "attempt = 0"),
    (
        "workflow_step_results_finished_at_order",
        "started_at = now(), finished_at = now() - interval '1 second'",
    ),
    ("workflow_step_results_number_range", "number = 0"),
    ("workflow_steps_max_attempts_range", "on_failure = 'retry', max_attempts = 11"),
    ("workflow_steps_number_range", "number = 0"),
    ("workflow_steps_retry", "max_attempts = 2"),
    ("workflow_steps_timeout_range", "timeout = 0"),
    ("workflow_triggers_entity_type_known", "event = 'created', entity_type = 'nonsense'"),
    ("workflow_triggers_event_known", "event = 'nonsense', entity_type = 'task'"),
    ("workflow_triggers_entity_type_event", "event = 'created'"),
    ("workflow_triggers_schedule_event", "schedule = '0 0 * * *'"),
    ("workflow_triggers_schedule_form", "event = 'schedule', schedule = 'daily'"),
];

/// What an update sets, by how the check is called and the type of its column.
fn usual(column: &str, rule: &str, kind: &str, list: bool) -> Option<String> {
    let value = match (rule, kind) {
        ("known", "text") => "'nonsense'",
        ("length", "text") => "repeat('x', 100001)",
        ("length", _) if list => "jsonb_build_array(repeat('x', 100001))",
        ("length", _) => "jsonb_build_object('x', repeat('x', 100001))",
        ("object", _) => "'[]'",
        ("array", _) => "'{}'",
        ("form", _) => "'!'",
        ("version", _) => "gen_random_uuid()",
        _ => return None,
    };
    Some(format!("{column} = {value}"))
}

/// Name and table of every check.
async fn checks(cluster: &Cluster) -> Vec<(String, String)> {
    let text = format!(
        "select conname::text, relname::text from pg_constraint join pg_class on pg_class.oid = conrelid
        where connamespace = 'app'::regnamespace and contype = 'c' and relname not in ({OTHERS})"
    );
    let mut superuser = cluster.connect(SUPERUSER).await;
    let rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut superuser).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The type of every column, by table and name.
async fn columns(cluster: &Cluster) -> BTreeMap<String, String> {
    let text = "select attrelid::regclass::text || '.' || attname, format_type(atttypid, null)
        from pg_attribute join pg_class on pg_class.oid = attrelid
        where relnamespace = 'app'::regnamespace and attnum > 0 and relkind = 'r'";
    let mut superuser = cluster.connect(SUPERUSER).await;
    let rows = sqlx::raw_sql(text).fetch_all(&mut superuser).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn every_check_refuses_something() {
    let cluster = world().await;
    let columns = columns(&cluster).await;
    let special: BTreeMap<_, _> = SPECIAL.iter().copied().collect();
    let checks = checks(&cluster).await;
    assert!(checks.len() > 120, "{}", checks.len());
    let names: BTreeSet<_> = checks.iter().map(|(name, _)| name.as_str()).collect();
    assert!(special.keys().all(|name| names.contains(name)));
    let mut superuser = cluster.connect(SUPERUSER).await;
    let mut wrong = Vec::new();
    for (name, table) in &checks {
        let rest = name.strip_prefix(&format!("{table}_")).unwrap();
        let set = match special.get(name.as_str()) {
            Some(set) => Some((*set).to_owned()),
            None => rest.rsplit_once('_').and_then(|(column, rule)| {
                let list = names.contains(format!("{table}_{column}_array").as_str());
                usual(column, rule, columns.get(&format!("app.{table}.{column}"))?, list)
            }),
        };
        let Some(set) = set else {
            wrong.push(format!("{name}: nothing is tried"));
            continue;
        };
        // The superuser passes by policies and grants, not by checks.
        let text = format!("update app.{table} set {set}");
        let error = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut superuser).await.err();
        let constraint = error
            .as_ref()
            .and_then(|error| error.as_database_error())
            .and_then(|error| error.constraint());
        if constraint != Some(name) {
            wrong.push(format!("{name}: {set}: {error:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn a_requirement_has_the_parts_of_its_pattern() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    let parts = ["ears_feature", "ears_state", "ears_trigger"];
    for (pattern, fits) in [
        // By which of feature, state and trigger there are.
        ("ubiquitous", [true, false, false, false, false, false, false, false]),
        ("event_driven", [false, false, false, false, true, true, true, true]),
        ("unwanted_behaviour", [false, false, false, false, true, true, true, true]),
        ("state_driven", [false, false, true, true, false, false, true, true]),
        ("optional_feature", [false, true, false, true, false, true, false, true]),
        ("complex", [false, false, false, true, false, true, true, true]),
    ] {
        for (mask, fits) in fits.into_iter().enumerate() {
            let set: String = (0..3)
                .filter(|bit| mask & (1 << bit) != 0)
                .map(|bit| format!(", {} = 'x'", parts[bit]))
                .collect();
            let text = format!(
                "update app.requirements set ears_pattern = '{pattern}', ears_system = 'pump',
                ears_response = 'stop'{set} where id = $50"
            );
            let (_, constraint) = refused(session.attempt(MEMBER, &text).await);
            let expected = if fits { "" } else { "requirements_ears_parts" };
            assert_eq!(constraint, expected, "{pattern} {mask:03b}");
        }
    }
}

#[tokio::test]
async fn the_limits_themselves_are_allowed() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    for (text, allowed) in [
        (
            "update app.tasks set title = repeat('é', 300), description = repeat('é', 10000) where id = $80",
            true,
        ),
        ("update app.tasks set title = repeat('é', 301) where id = $80", false),
        ("update app.tasks set title = E' \\t ' where id = $80", false),
        ("update app.tasks set title = '  ' where id = $80", false),
        ("update app.blocks set content = repeat('wörter ', 14285) where id = $40", true),
        ("update app.tasks set external_id = repeat('A', 64) where id = $80", true),
        ("update app.tasks set external_id = repeat('A', 65) where id = $80", false),
        ("update app.tasks set external_id = E'A\\nB' where id = $80", false),
        ("update app.tasks set external_id = '' where id = $80", false),
        ("update app.tasks set due_on = '2026-02-30' where id = $80", false),
        ("update app.tasks set attributes = null where id = $80", false),
        (
            "update app.webhook_endpoints set events = '{task.*,requirement.changed}', url = 'https://e.com:8443/a?b'",
            true,
        ),
        ("update app.webhook_endpoints set url = 'https://user@e.com/'", false),
        ("update app.webhook_endpoints set url = E'https://e.com/\\nx'", false),
    ] {
        assert_eq!(session.attempt(OWNER, text).await.is_ok(), allowed, "{text}");
    }
    // One of each name that people gave, in a project, as long as it is there.
    let name = "update app.tasks set external_id = 'T-1' where id = $80";
    session.run(MEMBER, name).await.unwrap();
    let other =
        "insert into app.tasks (organization_id, workspace_id, project_id, title, external_id)
        values ($1, $10, $20, 'x', 'T-1')";
    assert_eq!(refused(session.attempt(MEMBER, other).await).1, "tasks_external_id");
    assert_eq!(session.attempt(MEMBER, &other.replace("$20", "$21")).await, Ok(1));
    session.run(MEMBER, "update app.tasks set deleted_at = now() where id = $80").await.unwrap();
    session.run(MEMBER, other).await.unwrap();
    let restore = "update app.tasks set deleted_at = null where id = $80";
    assert_eq!(refused(session.run(MEMBER, restore).await).1, "tasks_external_id");
}
