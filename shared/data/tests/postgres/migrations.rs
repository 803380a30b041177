//! The migrations on a real Postgres: up, verified, down, up again; by a superuser and by a role
//! that is none.

use crate::support::{Cluster, DEPLOYER, SUPERUSER, migrations, migrator};
use sqlx::{PgConnection, Row};

/// What the schema consists of: all that a migration could leave behind or forget.
const SNAPSHOT: &str = "
    select format('relation %s %s %s %s %s', relname, relkind, relrowsecurity, relforcerowsecurity,
        -- None granted is the same as none left.
        coalesce(relacl, acldefault('r', relowner))) as line
    from pg_class where relnamespace = to_regnamespace('app')
    union all
    select format('column %s.%s %s %s %s', relname, attname, format_type(atttypid, atttypmod), attnotnull, attacl)
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = to_regnamespace('app') and attnum > 0 and relkind = 'r' and not attisdropped
    union all
    select format('constraint %s %s', conname, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = to_regnamespace('app')
    union all
    select format('policy %s', p) from pg_policies as p where schemaname = 'app'
    union all
    select format('trigger %s', pg_get_triggerdef(pg_trigger.oid))
    from pg_trigger join pg_class on pg_class.oid = tgrelid
    where relnamespace = to_regnamespace('app') and not tgisinternal
    union all
    select format('function %s %s', pg_get_functiondef(oid), proacl)
    from pg_proc where pronamespace = to_regnamespace('app')
    union all
    select format('index %s', indexdef) from pg_indexes where schemaname = 'app'
    union all
    select format('view %s %s %s', relname, reloptions, pg_get_viewdef(oid))
    from pg_class where relnamespace = to_regnamespace('app') and relkind = 'v'
    union all
    select format('schema %s', nspacl) from pg_namespace where nspname = 'app'
    order by line";

async fn snapshot(connection: &mut PgConnection) -> Vec<String> {
    let rows = sqlx::raw_sql(SNAPSHOT).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

/// The verify scripts in order.
fn verify_scripts() -> Vec<(String, String)> {
    let mut scripts: Vec<_> = std::fs::read_dir(migrations().join("verify"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    scripts.sort();
    scripts
}

/// The names of the verify scripts that object.
async fn objections(cluster: &Cluster) -> Vec<String> {
    let mut names = Vec::new();
    for (name, text) in verify_scripts() {
        if cluster.script(SUPERUSER, &text).await.is_err() {
            names.push(name);
        }
    }
    names
}

async fn there_and_back(user: &str) {
    let cluster = Cluster::start().await;
    let mut connection = cluster.connect(user).await;
    let migrator = migrator().await;

    migrator.run(&mut connection).await.unwrap();
    for (name, text) in verify_scripts() {
        cluster.script(user, &text).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let first = snapshot(&mut connection).await;
    assert!(first.iter().any(|line| line.starts_with("relation workspaces r t t")), "{first:#?}");

    migrator.undo(&mut connection, 0).await.unwrap();
    assert_eq!(snapshot(&mut connection).await, [""; 0]);
    assert_eq!(objections(&cluster).await.len(), verify_scripts().len());

    migrator.run(&mut connection).await.unwrap();
    assert_eq!(objections(&cluster).await, [""; 0]);
    assert_eq!(snapshot(&mut connection).await, first);
}

#[tokio::test]
async fn a_superuser_migrates_there_and_back() {
    there_and_back(SUPERUSER).await;
}

#[tokio::test]
async fn a_role_that_is_no_superuser_migrates_there_and_back() {
    there_and_back(DEPLOYER).await;
}

#[tokio::test]
async fn every_way_back_leads_to_where_the_migration_came_from() {
    let cluster = Cluster::start().await;
    let mut connection = cluster.connect(DEPLOYER).await;
    let migrator = migrator().await;
    let mut before = (0, Vec::new());
    for migration in migrator.iter().filter(|m| m.migration_type.is_up_migration()) {
        let (version, schema) = before;
        migrator.run_to(migration.version, &mut connection).await.unwrap();
        // What the first one makes belongs to the cluster.
        if version > 0 {
            migrator.undo(&mut connection, version).await.unwrap();
            let mut after = snapshot(&mut connection).await;
            let missing: Vec<_> = schema.iter().filter(|line| !after.contains(line)).collect();
            assert!(missing.is_empty(), "{}: {missing:#?}", migration.description);
            after.retain(|line| !schema.contains(line));
            assert_eq!(after, [""; 0], "{}", migration.description);
            migrator.run_to(migration.version, &mut connection).await.unwrap();
        }
        before = (migration.version, snapshot(&mut connection).await);
    }
}

#[tokio::test]
async fn every_migration_has_its_way_back_and_its_check() {
    let scripts: Vec<_> = verify_scripts().into_iter().map(|(name, _)| name).collect();
    let mut expected: Vec<_> = migrator()
        .await
        .iter()
        .filter(|migration| migration.migration_type.is_up_migration())
        .map(|migration| {
            format!("{:04}_{}.sql", migration.version, migration.description.replace(' ', "_"))
        })
        .collect();
    expected.sort();
    assert_eq!(scripts, expected);
    let ways_back = migrator()
        .await
        .iter()
        .filter(|migration| migration.migration_type.is_down_migration())
        .count();
    assert_eq!(ways_back, expected.len());
}

#[tokio::test]
async fn the_checks_notice_what_was_changed_by_hand() {
    let cluster = Cluster::start().await;
    cluster.migrate(DEPLOYER).await;
    for (change, undo, script) in [
        (
            "alter role authenticator inherit",
            "alter role authenticator noinherit",
            "0001_roles.sql",
        ),
        (
            "grant execute on function app.user_id() to public",
            "revoke execute on function app.user_id() from public",
            "0001_roles.sql",
        ),
        (
            "grant atoms_owner to authenticator",
            "revoke atoms_owner from authenticator",
            "0001_roles.sql",
        ),
        (
            "alter table app.memberships no force row level security",
            "alter table app.memberships force row level security",
            "0002_tenancy.sql",
        ),
        (
            "create policy more on app.memberships to authenticated using (true)",
            "drop policy more on app.memberships",
            "0002_tenancy.sql",
        ),
        (
            "alter policy user_read on app.memberships using (true)",
            "alter policy user_read on app.memberships
                using (organization_id in (select app.organizations_of_user('viewer')))",
            "0002_tenancy.sql",
        ),
        (
            "create policy more on app.workspaces to public using (true)",
            "drop policy more on app.workspaces",
            "0003_workspaces.sql",
        ),
        (
            "alter policy user_delete on app.workspaces
                using (organization_id in (select app.organizations_of_user('member')))",
            "alter policy user_delete on app.workspaces
                using (organization_id in (select app.organizations_of_user('admin')))",
            "0003_workspaces.sql",
        ),
        (
            "alter policy user_change on app.workspaces with check (true)",
            "alter policy user_change on app.workspaces
                with check (organization_id in (select app.organizations_of_user('member')))",
            "0003_workspaces.sql",
        ),
        (
            "create policy more on app.oauth_clients for select to authenticator using (true)",
            "drop policy more on app.oauth_clients",
            "0013_client_registration.sql",
        ),
        (
            "alter policy service_read on app.oauth_clients using (not disabled)",
            "alter policy service_read on app.oauth_clients using (true)",
            "0013_client_registration.sql",
        ),
        (
            "create policy more on app.audit_events to public using (true)",
            "drop policy more on app.audit_events",
            "0008_audit_trail.sql",
        ),
        (
            "alter policy service_add on app.audit_events with check (subject is not null)",
            "alter policy service_add on app.audit_events with check (true)",
            "0008_audit_trail.sql",
        ),
        (
            "grant update (created_by) on app.workspaces to authenticated",
            "revoke update (created_by) on app.workspaces from authenticated",
            "0003_workspaces.sql",
        ),
        (
            "alter table app.workspaces disable trigger next_version",
            "alter table app.workspaces enable trigger next_version",
            "0003_workspaces.sql",
        ),
        (
            "grant select (name) on app.oauth_clients to authenticated",
            "revoke select (name) on app.oauth_clients from authenticated",
            "0013_client_registration.sql",
        ),
        (
            "grant delete on app.audit_events to atoms_service",
            "revoke delete on app.audit_events from atoms_service",
            "0008_audit_trail.sql",
        ),
        (
            "alter table app.audit_events no force row level security",
            "alter table app.audit_events force row level security",
            "0005_audit_events.sql",
        ),
        (
            "alter table app.oauth_clients drop constraint oauth_clients_policy_object",
            "alter table app.oauth_clients add constraint oauth_clients_policy_object
                check (jsonb_typeof(policy) = 'object')",
            "0012_client_policy.sql",
        ),
        (
            "alter policy user_read on app.oauth_consents using (true)",
            "alter policy user_read on app.oauth_consents using (user_id = (select app.user_id()))",
            "0014_consents.sql",
        ),
        (
            "grant update (user_id) on app.oauth_consents to authenticated",
            "revoke update (user_id) on app.oauth_consents from authenticated",
            "0014_consents.sql",
        ),
        (
            "grant select on app.oauth_consents to atoms_service",
            "revoke select on app.oauth_consents from atoms_service",
            "0014_consents.sql",
        ),
        (
            "alter policy service_forget on app.oauth_clients using (true)",
            "alter policy service_forget on app.oauth_clients
                using (origin = 'dynamic' and expires_at < now())",
            "0013_client_registration.sql",
        ),
        (
            "grant truncate on app.oauth_clients to atoms_service",
            "revoke truncate on app.oauth_clients from atoms_service",
            "0013_client_registration.sql",
        ),
        (
            "alter table app.oauth_clients drop constraint oauth_clients_registration_origin",
            "alter table app.oauth_clients add constraint oauth_clients_registration_origin
                check (registration_hash is null or origin = 'dynamic')",
            "0013_client_registration.sql",
        ),
        (
            "alter table app.oauth_clients no force row level security",
            "alter table app.oauth_clients force row level security",
            "0004_oauth_clients.sql",
        ),
        (
            "grant select (seal) on app.audit_events to authenticated",
            "revoke select (seal) on app.audit_events from authenticated",
            "0008_audit_trail.sql",
        ),
        (
            "alter table app.audit_heads disable trigger forward",
            "alter table app.audit_heads enable trigger forward",
            "0008_audit_trail.sql",
        ),
        (
            "grant execute on function app.audit_retain(jsonb, timestamptz) to authenticated",
            "revoke execute on function app.audit_retain(jsonb, timestamptz) from authenticated",
            "0008_audit_trail.sql",
        ),
        (
            "alter function app.provision_member(text, text, text, uuid) security invoker",
            "alter function app.provision_member(text, text, text, uuid) security definer",
            "0006_provisioning.sql",
        ),
        (
            "create policy more on app.ledgers for select to authenticated using (true)",
            "drop policy more on app.ledgers",
            "0007_ledgers.sql",
        ),
        (
            "grant select (version) on app.ledgers to authenticated",
            "revoke select (version) on app.ledgers from authenticated",
            "0007_ledgers.sql",
        ),
        (
            "alter table app.ledgers no force row level security",
            "alter table app.ledgers force row level security",
            "0007_ledgers.sql",
        ),
        (
            "alter function app.organization_ids(text) security invoker",
            "alter function app.organization_ids(text) security definer",
            "0020_records.sql",
        ),
        (
            "grant execute on function app.require_other_owner(uuid, text) to authenticated",
            "revoke execute on function app.require_other_owner(uuid, text) from authenticated",
            "0022_members.sql",
        ),
        (
            "alter table app.memberships disable trigger record",
            "alter table app.memberships enable trigger record",
            "0022_members.sql",
        ),
        (
            "alter table app.workspaces disable trigger within",
            "alter table app.workspaces enable trigger within",
            "0024_projects.sql",
        ),
        (
            "alter table app.tasks no force row level security",
            "alter table app.tasks force row level security",
            "0028_tasks.sql",
        ),
        (
            "alter table app.tasks drop constraint tasks_project",
            "alter table app.tasks add constraint tasks_project foreign key (project_id, workspace_id)
                references app.projects (id, workspace_id) on delete cascade",
            "0028_tasks.sql",
        ),
        (
            "drop index app.tasks_search",
            "create index tasks_search on app.tasks using gin (search)",
            "0028_tasks.sql",
        ),
        (
            "alter table app.relationships disable trigger hierarchy",
            "alter table app.relationships enable trigger hierarchy",
            "0031_relationships.sql",
        ),
        (
            "alter table app.change_events disable trigger announce",
            "alter table app.change_events enable trigger announce",
            "0034_webhooks.sql",
        ),
        (
            "alter view app.entities set (security_invoker = false)",
            "alter view app.entities set (security_invoker = true)",
            "0035_entities.sql",
        ),
        (
            "alter function app.move_workspace(uuid, uuid, bigint) security invoker",
            "alter function app.move_workspace(uuid, uuid, bigint) security definer",
            "0036_moves.sql",
        ),
        (
            "create policy more on app.exports for select to authenticated using (true)",
            "drop policy more on app.exports",
            "0037_access.sql",
        ),
        (
            "alter policy user_change on app.tasks with check (true)",
            "alter policy user_change on app.tasks
                with check (organization_id = any ((select app.organization_ids('member'))::uuid[]))",
            "0037_access.sql",
        ),
        (
            "alter policy user_erase on app.tasks
                using (organization_id = any ((select app.organization_ids('member'))::uuid[]))",
            "alter policy user_erase on app.tasks
                using (organization_id = any ((select app.organization_ids('admin'))::uuid[]))",
            "0037_access.sql",
        ),
        (
            "grant update (organization_id) on app.tasks to authenticated",
            "revoke update (organization_id) on app.tasks from authenticated",
            "0037_access.sql",
        ),
        (
            "grant select (token_hash) on app.invitations to authenticated",
            "revoke select (token_hash) on app.invitations from authenticated",
            "0037_access.sql",
        ),
        (
            "grant select on app.tasks to atoms_service",
            "revoke select on app.tasks from atoms_service",
            "0037_access.sql",
        ),
        (
            "grant select on app.hierarchy_guards to authenticated",
            "revoke select on app.hierarchy_guards from authenticated",
            "0037_access.sql",
        ),
    ] {
        let text = std::fs::read_to_string(migrations().join("verify").join(script)).unwrap();
        cluster.script(SUPERUSER, change).await.unwrap();
        assert!(cluster.script(SUPERUSER, &text).await.is_err(), "{change}");
        cluster.script(SUPERUSER, undo).await.unwrap();
    }
    assert_eq!(objections(&cluster).await, [""; 0]);
}
