//! The rules of the model: which relationships there are, hierarchies, versions, what is recorded and
//! announced, search, and the shape of the plans.

use std::collections::BTreeSet;

use crate::support::{Cluster, SUPERUSER};
use crate::world::{
    ADMIN, BOTH, MEMBER, OWNER, Principal, STRANGER, Session, VIEWER, key, refused, world,
};
use sqlx::Row;

/// An entity of each type, and another of the same.
const ENDS: [(&str, u32, u32); 8] = [
    ("project", 20, 21),
    ("document", 30, 31),
    ("block", 40, 41),
    ("requirement", 50, 54),
    ("test_case", 60, 61),
    ("test_run", 70, 71),
    ("task", 80, 81),
    ("workflow", 90, 91),
];

const KINDS: [&str; 7] = [
    "hierarchy",
    "assignment",
    "dependency",
    "association",
    "trace_link",
    "membership",
    "workflow",
];

/// Whether a relationship of the kind may go from one type to the other.
fn allowed(kind: &str, source: &str, target: &str) -> bool {
    let work = ["requirement", "test_case", "task"];
    let content = ["project", "document", "block", "requirement", "test_case", "test_run", "task"];
    match kind {
        "hierarchy" => source == target && content.contains(&source) && source != "test_run",
        "assignment" => target == "user" && !["project", "block"].contains(&source),
        "membership" => target == "user" && ["project", "document"].contains(&source),
        "dependency" => [source, target].iter().all(|t| work.contains(t) || *t == "project"),
        "association" => content.contains(&source) && content.contains(&target),
        "trace_link" => match source {
            "test_run" => ["requirement", "test_case"].contains(&target),
            "task" if target == "test_case" => true,
            "requirement" | "test_case" | "task" | "document" | "block" => {
                ["requirement", "document", "block"].contains(&target)
            }
            _ => false,
        },
        "workflow" => source == "workflow" && content.contains(&target) && target != "block",
        _ => false,
    }
}

fn relate(kind: &str, source: u32, target: &str) -> String {
    let column = if target.starts_with('$') { "target_id" } else { "target_user_id" };
    format!(
        "insert into app.relationships (organization_id, workspace_id, kind, source_id, {column}, label)
        values ($1, $10, '{kind}', ${source}, {target}, 'traces_to')"
    )
}

#[tokio::test]
async fn each_kind_connects_the_types_it_may_and_no_others() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    let targets: Vec<_> = ENDS
        .iter()
        .map(|(name, _, other)| (*name, format!("${other}")))
        .chain([("user", "'user_viewer'".to_owned())])
        .collect();
    for kind in KINDS {
        for (source_type, source, _) in ENDS {
            for (target_type, target) in &targets {
                let result = session.attempt(MEMBER, &relate(kind, source, target)).await;
                let (_, constraint) = refused(result);
                let expected =
                    if allowed(kind, source_type, target_type) { "" } else { "relationships_rule" };
                assert_eq!(constraint, expected, "{kind}: {source_type} to {target_type}");
            }
        }
    }
}

#[tokio::test]
async fn a_relationship_is_there_once_and_says_what_it_is() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    session.run(MEMBER, &relate("association", 50, "$54")).await.unwrap();
    for (text, constraint) in [
        (relate("association", 50, "$54"), "relationships_once"),
        // It goes both ways.
        (relate("association", 54, "$50"), "relationships_association_once"),
        (relate("hierarchy", 54, "$51"), "relationships_one_parent"),
        (relate("association", 50, "$50"), "relationships_not_self"),
        (
            relate("trace_link", 50, "$54").replace("'traces_to'", "null"),
            "relationships_trace_link_label",
        ),
        (
            relate("trace_link", 50, "$54").replace("traces_to", "other"),
            "relationships_trace_link_label",
        ),
        (relate("parenthood", 50, "$54"), "relationships_rule"),
        (relate("assignment", 80, "null"), "relationships_one_target"),
    ] {
        assert_eq!(refused(session.run(MEMBER, &text).await).1, constraint, "{text}");
    }
    // The types are those of the ends.
    let types = "select source_type || target_type from app.relationships where id = $111";
    assert_eq!(session.value(VIEWER, types).await, "taskuser");
    let lie = "update app.relationships set source_type = 'project'";
    assert_eq!(refused(session.run(OWNER, lie).await).0, "42501");
    // Erasing an end erases it; another label makes another.
    session
        .run(MEMBER, &relate("association", 50, "$54").replace("traces_to", "other"))
        .await
        .unwrap();
    session.run(ADMIN, "delete from app.requirements where id = $54").await.unwrap();
    let left = "select 1 from app.relationships where kind = 'association'";
    assert_eq!(session.run(VIEWER, left).await, Ok(0));
}

#[tokio::test]
async fn hierarchies_have_no_cycle() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    let cycle = ("23514".to_owned(), "relationships_no_cycle".to_owned());
    // 50 is above 51; 51 above 54.
    session.run(MEMBER, &relate("hierarchy", 51, "$54")).await.unwrap();
    for (source, target) in [(54, "$50"), (51, "$50")] {
        let result = session.run(MEMBER, &relate("hierarchy", source, target)).await;
        assert_eq!(refused(result), cycle, "{source} {target}");
    }
    // Not by the way of deletion and restoration either.
    let (delete, restore) = (
        "update app.relationships set deleted_at = now() where id = $110",
        "update app.relationships set deleted_at = null where id = $110",
    );
    session.run(MEMBER, delete).await.unwrap();
    session.run(MEMBER, &relate("hierarchy", 54, "$50")).await.unwrap();
    assert_eq!(refused(session.run(MEMBER, restore).await), cycle);
    // Nor with an end that is deleted: it may come back.
    session
        .run(MEMBER, "update app.requirements set deleted_at = now() where id = $54")
        .await
        .unwrap();
    assert_eq!(refused(session.run(MEMBER, restore).await), cycle);
}

#[tokio::test]
async fn two_at_the_same_time_do_not_close_a_cycle_together() {
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let cluster = world().await;
        let (mut one, mut other) = (Session::start(&cluster).await, Session::start(&cluster).await);
        for session in [&mut one, &mut other] {
            session.begin(isolation, MEMBER).await;
            session.execute("select 1 from app.relationships").await.unwrap();
        }
        one.execute(&relate("hierarchy", 80, "$81")).await.unwrap();
        let second = relate("hierarchy", 81, "$80");
        let (second, committed) = futures::join!(other.execute(&second), async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            one.execute("commit").await
        });
        committed.unwrap();
        let code = refused(second).0;
        // 40001 is repeated by the session, and then sees the first.
        assert!(
            code == if isolation == "read committed" { "23514" } else { "40001" },
            "{isolation}: {code}"
        );
    }
}

#[tokio::test]
async fn who_changes_what_another_has_changed_meanwhile_changes_nothing() {
    let cluster = world().await;
    let (mut one, mut other) = (Session::start(&cluster).await, Session::start(&cluster).await);
    let update = "update app.requirements set title = 'New' where id = $50 and version = 1";
    one.begin("read committed", MEMBER).await;
    assert_eq!(one.execute(update).await, Ok(1));
    let (late, committed) = futures::join!(other.run(ADMIN, update), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        one.execute("commit").await
    });
    committed.unwrap();
    assert_eq!(late, Ok(0));
    let row = "select version::text, updated_by, created_by, (updated_at > created_at)::text
        from app.requirements where id = $50";
    let values: Vec<_> = one.rows(VIEWER, row).await.remove(0).into_iter().flatten().collect();
    assert_eq!(values, ["2", "user_member", "user_owner", "true"]);
    for column in [
        "version = 9",
        "updated_by = 'x'",
        "created_by = 'x'",
        "created_at = now()",
        "organization_id = $2",
        "workspace_id = $11",
        "project_id = $21",
        "id = $58",
        "deleted_by = 'x'",
        "search = ''",
    ] {
        let text = format!("update app.requirements set {column} where id = $50");
        assert!(
            ["42501", "428C9"].contains(&refused(one.run(OWNER, &text).await).0.as_str()),
            "{column}"
        );
    }
}

#[tokio::test]
async fn keys_are_uuids_of_version_7_in_the_order_of_time() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    let ids = session
        .rows(
            VIEWER,
            "select app.new_id()::text, pg_sleep(0.002)::text from generate_series(1, 50)",
        )
        .await;
    let ids: Vec<_> = ids.into_iter().map(|row| row[0].clone().unwrap()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 50);
    for id in &ids {
        assert!(&id[14..15] == "7" && "89ab".contains(&id[19..20]), "{id}");
    }
    let millis =
        "select abs(('x' || replace(left(app.new_id()::text, 13), '-', ''))::bit(48)::bigint
        - extract(epoch from clock_timestamp()) * 1000) < 1000";
    assert_eq!(session.value(VIEWER, millis).await, "t");
    let other = "insert into app.tasks (id, organization_id, workspace_id, project_id, title)
        values (gen_random_uuid(), $1, $10, $20, 'x')";
    assert_eq!(refused(session.run(MEMBER, other).await).1, "tasks_id_version");
    // One key, one entity, whatever its type.
    let taken = "insert into app.tasks (id, organization_id, workspace_id, project_id, title)
        values ($50, $1, $10, $20, 'x')";
    assert_eq!(refused(session.run(MEMBER, taken).await).1, "entity_keys_pkey");
}

#[tokio::test]
async fn what_happens_is_recorded_and_announced_with_it() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    for text in [
        "update app.tasks set title = 'New', priority = 'low' where id = $80",
        // Nothing changes.
        "update app.tasks set title = 'New' where id = $80",
        "update app.tasks set deleted_at = now() where id = $80",
        "update app.tasks set deleted_at = null where id = $80",
    ] {
        session.run(MEMBER, text).await.unwrap();
    }
    session.run(ADMIN, "delete from app.tasks where id = $80").await.unwrap();
    // What is undone was not.
    session.attempt(MEMBER, "update app.tasks set title = 'Undone' where id = $81").await.unwrap();
    let told =
        "select verb, columns::text, actor, coalesce(version::text, '') from app.change_events
        where entity_id in ($80, $81) order by id";
    let rows: Vec<String> = session
        .rows(VIEWER, told)
        .await
        .into_iter()
        .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        rows,
        [
            "created {} user_owner 1",
            "created {} user_owner 1",
            "changed {priority} user_owner 2",
            "changed {priority,title} user_member 3",
            "deleted {deleted_at} user_member 5",
            "restored {deleted_at} user_member 6",
            "erased {} user_admin 6",
        ]
    );
    // The endpoint asked for changes of tasks: that of the seed and this one.
    let pending = "select 1 from app.webhook_deliveries where status = 'pending'
        and event_type = 'task.changed' and payload ->> 'entity_type' = 'task'";
    assert_eq!(session.run(ADMIN, pending).await, Ok(2));
    assert_eq!(session.run(ADMIN, "select 1 from app.webhook_deliveries").await, Ok(3));
}

#[tokio::test]
async fn what_a_workflow_consists_of_is_part_of_its_version() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    let version = "select version::text from app.workflows where id = $90";
    let before: i64 = session.value(VIEWER, version).await.parse().unwrap();
    let step = "insert into app.workflow_steps (id, organization_id, workspace_id, workflow_id, number, name)
        values ($99, $1, $10, $90, 2, 'Sign')";
    session.run(ADMIN, step).await.unwrap();
    // Steps change places in one statement.
    session
        .run(ADMIN, "update app.workflow_steps set number = 3 - number where workflow_id = $90")
        .await
        .unwrap();
    assert_eq!(session.value(VIEWER, version).await, (before + 3).to_string());
    let taken = "update app.workflow_steps set number = 1 where workflow_id = $90";
    assert_eq!(refused(session.run(ADMIN, taken).await).1, "workflow_steps_number_unique");
    // The result stays when the step goes.
    session.run(ADMIN, "delete from app.workflow_steps where id = $95").await.unwrap();
    let kept = "select 1 from app.workflow_step_results where id = $101 and step_id is null and number = 1";
    assert_eq!(session.run(VIEWER, kept).await, Ok(1));
    // What is over stays as it was.
    let end = "update app.workflow_runs set status = 'failed', finished_at = now() where id = $100";
    session.run(MEMBER, end).await.unwrap();
    let revive =
        "update app.workflow_runs set status = 'running', finished_at = null where id = $100";
    assert_eq!(refused(session.run(MEMBER, revive).await).1, "workflow_runs_status_final");
    // The same key, the same run.
    let run = "insert into app.workflow_runs (organization_id, workspace_id, workflow_id, workflow_version,
        idempotency_key) values ($1, $10, $90, 1, 'once')";
    session.run(MEMBER, run).await.unwrap();
    assert_eq!(refused(session.run(MEMBER, run).await).1, "workflow_runs_idempotency_key");
    session.run(ADMIN, "update app.workflows set deleted_at = now() where id = $90").await.unwrap();
    assert_eq!(refused(session.run(MEMBER, run).await).1, "workflow_runs_workflow_id_live");
    let step = step.replace("$99", "$92").replace(", 2,", ", 5,");
    assert_eq!(refused(session.run(ADMIN, &step).await).1, "workflow_steps_workflow_id_live");
}

#[tokio::test]
async fn queries_are_counted_by_day() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    for (failed, time) in [(false, 500), (true, 3000)] {
        let call = format!(
            "select app.record_query($10, 'search', '0123456789abcdef', $120, {failed}, 2, {time})"
        );
        session.run(VIEWER, &call).await.unwrap();
    }
    let counted = "select concat_ws(' ', executions, failures, rows, total_time, max_time, saved_query_id = $120)
        from app.query_statistics where workspace_id = $10";
    assert_eq!(session.value(MEMBER, counted).await, "3 1 5 4500 3000 t");
}

async fn found(session: &mut Session, who: Principal, call: &str) -> Vec<String> {
    let text = format!("select type || ' ' || title from app.search_entities({call})");
    session.rows(who, &text).await.into_iter().map(|row| row[0].clone().unwrap()).collect()
}

#[tokio::test]
async fn search_finds_words_in_the_callers_organizations() {
    let cluster = world().await;
    let mut session = Session::start(&cluster).await;
    for text in [
        "update app.requirements set external_id = 'PMP-7', statement = 'When dry, the pump shall stop.'
            where id = $51",
        "update app.tasks set description = 'dry' where id = $81",
    ] {
        session.run(MEMBER, text).await.unwrap();
    }
    let s = &mut session;
    // The title counts more than the text, and the stem for the word.
    let dry = found(s, VIEWER, "'dry'").await;
    assert_eq!(dry.last().map(String::as_str), Some("task Order a spare pump"));
    assert_eq!(dry.len(), 4, "{dry:?}");
    assert_eq!(found(s, VIEWER, "'stopped'").await.len(), 4);
    assert_eq!(found(s, VIEWER, "'\"shall stop\" PMP-7'").await, ["requirement Stop when dry"]);
    assert_eq!(
        found(s, VIEWER, "'pump -order -spare'").await,
        ["project Pump", "requirement Stop when dry"]
    );
    assert_eq!(
        found(s, VIEWER, "'dry', null, $21").await,
        ["test_case Run it dry", "task Order a spare pump"]
    );
    assert_eq!(found(s, VIEWER, "'dry', $10, null, '{task}'").await, ["task Order a spare pump"]);
    assert_eq!(found(s, VIEWER, "'dry', p_limit => 0").await.len(), 1);
    assert_eq!(
        found(s, VIEWER, "'dry', p_limit => 1, p_offset => 3").await,
        ["task Order a spare pump"]
    );
    for nothing in [
        "''",
        "'the'",
        "null",
        "'dry', $11",
        "'dry', $13",
        "'dry', p_types => '{user}'",
        "'!&|:*()'",
    ] {
        assert_eq!(found(s, VIEWER, nothing).await, [""; 0], "{nothing}");
    }
    // Each sees their own; who is in both sees both.
    assert_eq!(found(s, STRANGER, "'stop'").await, ["requirement Stop"]);
    assert_eq!(found(s, BOTH, "'stop'").await.len(), found(s, VIEWER, "'stop'").await.len() + 1);
    assert_eq!(found(s, VIEWER, "'others'").await, [""; 0]);
    // What is deleted is not found.
    s.run(ADMIN, "update app.projects set deleted_at = now() where id = $20").await.unwrap();
    assert_eq!(
        found(s, VIEWER, "'dry'").await,
        ["test_case Run it dry", "task Order a spare pump"]
    );
}

/// The plan of a statement.
async fn plan(session: &mut Session, who: Principal, text: &str) -> String {
    let rows = session.rows(who, &format!("explain (costs off) {text}")).await;
    rows.into_iter().map(|row| row[0].clone().unwrap()).collect::<Vec<_>>().join("\n")
}

async fn asked_of_memberships(cluster: &Cluster) -> Vec<(String, String)> {
    let mut superuser = cluster.connect(SUPERUSER).await;
    let text = "select tablename::text, cmd from pg_policies
        where schemaname = 'app' and concat(qual, with_check) like '%organization_ids%' and cmd in ('SELECT', 'UPDATE')";
    let rows = sqlx::raw_sql(text).fetch_all(&mut superuser).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn policies_ask_for_memberships_once_for_each_statement() {
    let cluster = world().await;
    let fill = format!(
        "select set_config('request.jwt.claims', '{{\"sub\":\"user_owner\"}}', false);
        insert into app.tasks (organization_id, workspace_id, project_id, title)
        select '{}', '{}', '{}', 'Task ' || n from generate_series(1, 2000) as n;
        alter role authenticator set track_functions = 'all'; analyze",
        key(1),
        key(10),
        key(20)
    );
    cluster.script(SUPERUSER, &fill).await.unwrap();
    let mut session = Session::start(&cluster).await;

    let tables = asked_of_memberships(&cluster).await;
    assert!(tables.len() > 30, "{tables:?}");
    for (table, command) in &tables {
        let text = match command.as_str() {
            "SELECT" => format!("select 1 from app.{table}"),
            // Any column that may be changed will do.
            _ => {
                let column = format!("select attname::text from pg_attribute where attrelid = 'app.{table}'::regclass
                    and attnum > 0 and has_column_privilege(attrelid, attnum, 'UPDATE') limit 1");
                let column = session.value(OWNER, &column).await;
                format!("update app.{table} set {column} = {column}")
            }
        };
        let plan = plan(&mut session, OWNER, &text).await;
        assert!(plan.contains("InitPlan"), "{text}: {plan}");
        // A plan for each row would be called so.
        assert!(!plan.contains("SubPlan"), "{text}: {plan}");
    }

    // Counted by Postgres: the same for two thousand rows as for none.
    let calls = "select coalesce(sum(calls), 0)::text from pg_stat_xact_user_functions
        where funcname in ('organization_ids', 'has_role', 'user_id', 'organizations_of_user')";
    for (text, rows, most) in [
        // Itself and the one who asks.
        ("select 1 from app.tasks", 2002, 2),
        ("select 1 from app.tasks where title = 'none'", 0, 2),
        ("select 1 from app.search_entities('task', p_types => '{task}')", 20, 16),
        ("delete from app.tasks where title = 'none'", 0, 4),
    ] {
        session.begin("read committed", OWNER).await;
        assert_eq!(session.execute(text).await, Ok(rows), "{text}");
        let asked = format!("select 1 from generate_series(1, ({calls})::int)");
        let asked = session.execute(&asked).await.unwrap();
        // Where no row gets as far as the policy, it is not asked at all.
        assert!((u64::from(rows > 0)..=most).contains(&asked), "{text}: {asked}");
        session.execute("rollback").await.unwrap();
    }
}

#[tokio::test]
async fn every_way_in_has_its_index() {
    let cluster = world().await;
    let mut superuser = cluster.connect(SUPERUSER).await;
    sqlx::raw_sql("alter database atoms set enable_seqscan = off")
        .execute(&mut superuser)
        .await
        .unwrap();
    let mut session = Session::start(&cluster).await;
    let mut wrong = Vec::new();
    for (text, index) in [
        ("app.projects where workspace_id = $10 order by id", "projects_workspace_id"),
        ("app.documents where project_id = $20 order by id", "documents_project_id"),
        ("app.blocks where document_id = $30 order by position, id", "blocks_document_id"),
        (
            "app.requirements where project_id = $20 and status = 'draft' and deleted_at is null order by priority, id",
            "requirements_status",
        ),
        (
            "app.requirements where project_id = $20 and external_id = 'A' and deleted_at is null",
            "requirements_external_id",
        ),
        ("app.requirements where document_id = $30 order by id", "requirements_document_id"),
        ("app.test_runs where test_case_id = $60 order by id", "test_runs_test_case_id"),
        (
            "app.tasks where workspace_id = $10 and due_on < now()::date and deleted_at is null",
            "tasks_due_on",
        ),
        (
            "app.relationships where source_id = $50 and kind = 'hierarchy'",
            "relationships_source_id",
        ),
        (
            "app.relationships where target_id = $50 and kind = 'trace_link'",
            "relationships_target_id",
        ),
        (
            "app.relationships where organization_id = $1 and target_user_id = 'user_member'",
            "relationships_target_user_id",
        ),
        ("app.workflow_runs where workspace_id = $10 and status = 'running'", "workflow_runs_open"),
        ("app.workflow_runs where workflow_id = $90 order by id desc", "workflow_runs_workflow_id"),
        (
            "app.workflow_step_results where run_id = $100 order by number, attempt",
            "workflow_step_results_once",
        ),
        ("app.change_events where entity_id = $50 order by id desc", "change_events_entity_id"),
        (
            "app.change_events where organization_id = $1 order by id desc limit 5",
            "change_events_organization_id",
        ),
        (
            "app.entity_keys where organization_id = $1 and type = 'task'",
            "entity_keys_organization_id",
        ),
        (
            "app.query_statistics where workspace_id = $10 and day = now()::date",
            "query_statistics_",
        ),
        ("app.saved_queries where workspace_id = $10 order by id", "saved_queries_workspace_id"),
        ("app.exports where created_by = 'user_owner' order by id desc", "exports_created_by"),
    ] {
        let plan = plan(&mut session, ADMIN, &format!("select 1 from {text}")).await;
        if !plan.contains(index) {
            wrong.push(format!("{text}: {plan}"));
        }
    }
    for (text, index) in [
        (
            "app.webhook_deliveries where status = 'pending' and next_attempt_at < now()",
            "webhook_deliveries_due",
        ),
        ("app.exports where status in ('queued', 'running') order by id", "exports_open"),
        ("app.exports where expires_at < now()", "exports_expires_at"),
    ] {
        let plan = plan(&mut session, Principal::Service, &format!("select 1 from {text}")).await;
        if !plan.contains(index) {
            wrong.push(format!("{text}: {plan}"));
        }
    }
    // As the owner's function has it.
    for table in [
        "projects",
        "documents",
        "blocks",
        "requirements",
        "test_cases",
        "test_runs",
        "tasks",
        "workflows",
    ] {
        let text = format!(
            "explain (costs off) select 1 from app.{table} where search @@ websearch_to_tsquery('english', 'x')"
        );
        let mut superuser = cluster.connect(SUPERUSER).await;
        let rows =
            sqlx::raw_sql(sqlx::AssertSqlSafe(text)).fetch_all(&mut superuser).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if !plan.join("\n").contains(&format!("{table}_search")) {
            wrong.push(plan.join("\n"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn every_foreign_key_has_an_index_on_its_columns() {
    let cluster = world().await;
    let mut superuser = cluster.connect(SUPERUSER).await;
    // An index that begins with one of its columns: the others follow from it. Rules are never deleted.
    let text = "select conname::text from pg_constraint as c
        where contype = 'f' and connamespace = 'app'::regnamespace and conname <> 'relationships_rule'
            and not exists (
                select from pg_index as i where i.indrelid = c.conrelid and i.indkey[0] = any (c.conkey)
            )";
    let rows = sqlx::raw_sql(text).fetch_all(&mut superuser).await.unwrap();
    let without: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(without, [""; 0]);
}
