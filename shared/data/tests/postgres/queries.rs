//! The queries and the row-level security behind them, on a real Postgres.

use crate::support::{Cluster, DEPLOYER, Direct};
use data::clients::{self, ClientKind, ClientOrigin, ClientRecord};
use data::membership::{self, Provisioned};
use data::workspaces::{self, NewWorkspace, Page, Workspace};
use data::{Caller, DataError, as_service, as_user, ping};
use futures::future::join_all;
use ports::{Rows, Sql, SqlError, Statement};

async fn prepared() -> (Cluster, Direct) {
    let cluster = Cluster::start().await;
    cluster.migrate(DEPLOYER).await;
    let sql = cluster.sql();
    (cluster, sql)
}

fn key(number: u32) -> String {
    format!("01900000-0000-7000-8000-{number:012}")
}

fn statement(text: &str) -> Statement<'_> {
    Statement { text, parameters: Vec::new() }
}

fn denied<T: std::fmt::Debug>(result: Result<T, SqlError>) -> bool {
    matches!(result, Err(SqlError::Refused { code, .. }) if code == "42501")
}

/// A user of the WorkOS organization "org_1" with this role.
async fn user(sql: &Direct, name: &str, role: &str) -> Caller {
    let Provisioned { organization_id, role } =
        membership::provision(sql, name, Some("org_1"), Some(role), &key(1)).await.unwrap();
    Caller { subject: name.to_owned(), organization: Some(organization_id), roles: vec![role] }
}

async fn create(sql: &Direct, caller: &Caller, number: u32) -> Result<Workspace, DataError> {
    let name = format!("Workspace {number}");
    workspaces::create(sql, caller, NewWorkspace { id: key(number), name, description: None }).await
}

async fn names(sql: &Direct, caller: &Caller) -> Vec<String> {
    let page = Page { limit: 100, after: None };
    let page = workspaces::list(sql, caller, page).await.unwrap();
    page.items.into_iter().map(|workspace| workspace.name).collect()
}

/// How many rows the statement returns or touches with RETURNING.
async fn count(sql: &Direct, caller: &Caller, text: &str) -> Result<usize, SqlError> {
    let results = as_user(sql, caller, vec![statement(text)]).await?;
    Ok(results.iter().map(|rows| rows.rows.len()).sum())
}

#[tokio::test]
async fn members_work_in_their_organization_and_others_see_nothing() {
    let (_cluster, sql) = prepared().await;
    ping(&sql).await.unwrap();
    let member = user(&sql, "user_member", "member").await;
    let created = workspaces::create(
        &sql,
        &member,
        NewWorkspace {
            id: key(10),
            name: "It's $1".to_owned(),
            description: Some("for tests".to_owned()),
        },
    )
    .await
    .unwrap();
    assert_eq!(created.organization_id, key(1));
    assert_eq!((created.name.as_str(), created.version), ("It's $1", 1));
    assert_eq!(created.description.as_deref(), Some("for tests"));
    assert_eq!((created.created_at.len(), &created.created_at[23..]), (24, "Z"));

    let viewer = user(&sql, "user_viewer", "viewer").await;
    assert_eq!(names(&sql, &viewer).await, ["It's $1"]);

    let alone = membership::provision(&sql, "user_alone", None, None, &key(2)).await.unwrap();
    let stranger = Caller {
        subject: "user_alone".to_owned(),
        organization: Some(alone.organization_id),
        roles: vec![alone.role],
    };
    assert_eq!(names(&sql, &stranger).await, [""; 0]);
    for table in ["workspaces", "organizations", "memberships"] {
        let seen = count(&sql, &stranger, &format!("select * from app.{table}")).await.unwrap();
        assert_eq!(seen, usize::from(table != "workspaces"), "{table}");
    }

    // Claims that name another's organization and a high role.
    let forged = Caller { organization: Some(key(1)), roles: vec!["owner".to_owned()], ..stranger };
    assert_eq!(names(&sql, &forged).await, [""; 0]);
    assert_eq!(create(&sql, &forged, 11).await, Err(DataError::NotPermitted));
}

#[tokio::test]
async fn roles_are_those_of_the_membership() {
    let (_cluster, sql) = prepared().await;
    let owner = user(&sql, "user_owner", "owner").await;
    let admin = user(&sql, "user_admin", "admin").await;
    let member = user(&sql, "user_member", "member").await;
    let mut viewer = user(&sql, "user_viewer", "viewer").await;
    // What the claims say of roles does not count.
    viewer.roles = vec!["owner".to_owned()];

    assert_eq!(create(&sql, &viewer, 9).await, Err(DataError::NotPermitted));
    for (number, caller) in [(10, &owner), (11, &admin), (12, &member)] {
        create(&sql, caller, number).await.unwrap();
    }

    let update =
        "update app.workspaces set name = 'New' returning version, updated_at > created_at";
    assert_eq!(count(&sql, &viewer, update).await, Ok(0));
    let results = as_user(&sql, &member, vec![statement(update)]).await.unwrap();
    let changed = vec![Some("2".to_owned()), Some("t".to_owned())];
    assert_eq!(results, [Rows { rows: vec![changed; 3] }]);

    let delete = "delete from app.workspaces where id = (select min(id::text)::uuid from app.workspaces) returning id";
    assert_eq!(count(&sql, &viewer, delete).await, Ok(0));
    assert_eq!(count(&sql, &member, delete).await, Ok(0));
    assert_eq!(count(&sql, &admin, delete).await, Ok(1));
    assert_eq!(count(&sql, &owner, delete).await, Ok(1));
}

#[tokio::test]
async fn people_have_no_other_rights() {
    let (_cluster, sql) = prepared().await;
    let owner = user(&sql, "user_owner", "owner").await;
    create(&sql, &owner, 10).await.unwrap();
    for text in [
        "select * from app.oauth_clients",
        "select * from app.ledgers",
        "insert into app.ledgers (address, document, version) values (repeat('0', 32), '{}', 'x')",
        "update app.ledgers set version = 'x'",
        "delete from app.ledgers",
        "select * from app.audit_events",
        "select * from app.audit_heads",
        "select * from app.audit_checkpoints",
        "insert into app.audit_events (hash) values ('x')",
        "update app.audit_events set subject = 'user_owner'",
        "delete from app.audit_events",
        "update app.audit_heads set number = 9",
        "select app.audit_retain('{}', now())",
        "insert into app.organizations (id, name) values (gen_random_uuid(), 'x')",
        "update app.organizations set name = 'x'",
        "update app.memberships set role = 'owner'",
        "delete from app.memberships",
        "insert into app.memberships (organization_id, user_id, role)
            select id, 'user_other', 'owner' from app.organizations",
        "update app.workspaces set organization_id = gen_random_uuid()",
        "update app.workspaces set version = 7",
        "update app.workspaces set created_by = 'user_other'",
        "insert into app.workspaces (id, organization_id, name, created_by)
            select gen_random_uuid(), id, 'x', 'user_other' from app.organizations",
        "truncate app.workspaces",
        "select app.provision_member('user_other', 'org_1', 'owner', gen_random_uuid())",
        "create table app.mine (id int)",
        "set local role atoms_owner",
        "alter table app.workspaces disable row level security",
    ] {
        assert!(denied(count(&sql, &owner, text).await), "{text}");
    }
}

#[tokio::test]
async fn a_forgotten_role_or_subject_fails_closed() {
    let (cluster, sql) = prepared().await;
    let owner = user(&sql, "user_owner", "owner").await;
    create(&sql, &owner, 10).await.unwrap();
    for text in [
        "select * from app.workspaces",
        "select * from app.organizations",
        "select * from app.memberships",
        "select * from app.oauth_clients",
        "select * from app.audit_events",
        "select * from app.ledgers",
        "select app.user_id()",
        "select * from app.organizations_of_user('viewer')",
        "select app.provision_member('user_other', null, null, gen_random_uuid())",
    ] {
        assert!(denied(sql.transaction(&[statement(text)]).await), "{text}");
    }

    // The role without claims, with empty claims, without a subject, with an empty one.
    let role = statement("select set_config('role', 'authenticated', true)");
    for claims in
        ["select 1", "set local request.jwt.claims = ''", "set local request.jwt.claims = '{}'"]
            .map(str::to_owned)
            .into_iter()
            .chain([r#"set local request.jwt.claims = '{"sub":""}'"#.to_owned()])
    {
        for table in ["workspaces", "organizations", "memberships"] {
            let text = format!("select * from app.{table}");
            let results = sql
                .transaction(&[role.clone(), statement(&claims), statement(&text)])
                .await
                .unwrap();
            assert_eq!(results[2], Rows::default(), "{claims} {table}");
        }
    }
    let nobody = Caller { subject: String::new(), ..owner };
    assert_eq!(create(&sql, &nobody, 11).await, Err(DataError::NotPermitted));

    // Neither the role nor the claims outlive their transaction.
    let mut connection = cluster.connect("authenticator").await;
    let mut transaction = sqlx::Connection::begin(&mut connection).await.unwrap();
    sqlx::raw_sql("select set_config('role', 'authenticated', true), set_config('request.jwt.claims', '{}', true)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let after: (String, String) =
        sqlx::query_as("select current_user::text, current_setting('request.jwt.claims', true)")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(after, ("authenticator".to_owned(), String::new()));
}

#[tokio::test]
async fn lists_are_paged_in_the_order_of_creation() {
    let (_cluster, sql) = prepared().await;
    let member = user(&sql, "user_member", "member").await;
    for number in [12, 10, 11, 13, 14] {
        create(&sql, &member, number).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = workspaces::list(&sql, &member, Page { limit: 2, after }).await.unwrap();
        seen.push(page.items.iter().map(|item| item.id.clone()).collect::<Vec<_>>());
        after = page.next_cursor;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [vec![key(10), key(11)], vec![key(12), key(13)], vec![key(14)]]);

    let whole = workspaces::list(&sql, &member, Page { limit: 5, after: None }).await.unwrap();
    assert_eq!((whole.items.len(), whole.next_cursor), (5, None));
    let least = workspaces::list(&sql, &member, Page { limit: 0, after: None }).await.unwrap();
    assert_eq!(least.items.len(), 1);
    let page = Page { limit: 5, after: Some("' or true --".to_owned()) };
    assert_eq!(
        workspaces::list(&sql, &member, page).await,
        Err(DataError::Invalid { field: "cursor", reason: "is not a UUID" })
    );
}

#[tokio::test]
async fn values_that_the_model_does_not_allow_name_their_field() {
    let (_cluster, sql) = prepared().await;
    let member = user(&sql, "user_member", "member").await;
    let new = |id: String, name: String, description: Option<String>| {
        workspaces::create(&sql, &member, NewWorkspace { id, name, description })
    };
    let field = |result: Result<Workspace, DataError>| match result {
        Err(DataError::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    new(key(10), "é".repeat(200), Some("x".repeat(4000))).await.unwrap();
    assert_eq!(field(new(key(11), "é".repeat(201), None).await), "name");
    assert_eq!(field(new(key(11), String::new(), None).await), "name");
    assert_eq!(field(new(key(11), "  ".to_owned(), None).await), "name");
    assert_eq!(field(new(key(11), "a".to_owned(), Some("x".repeat(4001))).await), "description");
    assert_eq!(field(new("7".to_owned(), "a".to_owned(), None).await), "id");
    let again = new(key(10), "a".to_owned(), None).await;
    assert_eq!(again, Err(DataError::Conflict { what: "workspace" }));

    for organization in [None, Some("org_1".to_owned())] {
        let caller = Caller { organization, ..member.clone() };
        assert_eq!(create(&sql, &caller, 12).await, Err(DataError::NoOrganization));
    }
}

#[tokio::test]
async fn provisioning_follows_workos() {
    let (_cluster, sql) = prepared().await;
    let provision = async |user: &str, organization, role, number| {
        let Provisioned { organization_id, role } =
            membership::provision(&sql, user, organization, role, &key(number)).await.unwrap();
        (organization_id, role)
    };
    // Personal: one for each user, who owns it; what WorkOS says of roles is not about it.
    assert_eq!(provision("user_1", None, None, 1).await, (key(1), "owner".to_owned()));
    assert_eq!(provision("user_1", None, Some("viewer"), 2).await, (key(1), "owner".to_owned()));
    assert_eq!(provision("user_2", None, None, 3).await, (key(3), "owner".to_owned()));

    let org = Some("org_1");
    for (role, expected) in [
        (None, "member"),
        (Some("admin"), "admin"),
        (None, "admin"),
        (Some("Viewer"), "viewer"),
        (Some("org-billing"), "member"),
        (Some("owner"), "owner"),
    ] {
        assert_eq!(provision("user_1", org, role, 4).await, (key(4), expected.to_owned()));
    }
    let second = provision("user_2", org, Some("viewer"), 5).await;
    assert_eq!(second, (key(4), "viewer".to_owned()));

    for (user, organization) in [("", None), ("", org), ("user_1", Some(""))] {
        let result = membership::provision(&sql, user, organization, None, &key(6)).await;
        assert!(matches!(result, Err(DataError::Invalid { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn simultaneous_first_sign_ins_agree() {
    let (_cluster, sql) = prepared().await;
    // Keys of their own for each round: in the product they are drawn anew.
    for (organization, first_key) in [(None, 0), (Some("org_1"), 20)] {
        let ids: Vec<_> = (first_key..first_key + 20).map(key).collect();
        let all = join_all(
            ids.iter().map(|id| membership::provision(&sql, "user_1", organization, None, id)),
        )
        .await;
        let first = all[0].clone().unwrap();
        assert!(all.iter().all(|result| result.as_ref() == Ok(&first)), "{all:?}");
        let caller = Caller { subject: "user_1".to_owned(), organization: None, roles: Vec::new() };
        let seen = count(&sql, &caller, "select * from app.organizations").await.unwrap();
        assert_eq!(seen, 1 + usize::from(organization.is_some()));
    }
}

fn client() -> ClientRecord {
    ClientRecord {
        client_id: "gateway".to_owned(),
        name: "Gateway's own".to_owned(),
        kind: ClientKind::Confidential,
        secret_hashes: vec!["h\"1,{}".to_owned(), "h2".to_owned()],
        first_party: true,
        scopes: vec!["sessions:read".to_owned()],
        grant_types: vec!["refresh_token".to_owned()],
        introspect_audiences: vec!["*".to_owned()],
        disabled: false,
        policy: Some(serde_json::json!({ "session_max": 2 })),
        ..ClientRecord::default()
    }
}

fn method(name: &str) -> Option<String> {
    Some(name.to_owned())
}

/// A client that authenticates by its key.
fn keyed(jwks: Option<serde_json::Value>, jwks_uri: Option<&str>) -> ClientRecord {
    ClientRecord {
        secret_hashes: Vec::new(),
        auth_method: method("private_key_jwt"),
        jwks,
        jwks_uri: jwks_uri.map(str::to_owned),
        ..client()
    }
}

/// One that registered itself.
fn dynamic(expires_at: u64) -> ClientRecord {
    ClientRecord {
        client_id: "dynamic".to_owned(),
        name: "Somebody's".to_owned(),
        scopes: vec!["offline_access".to_owned()],
        redirect_uris: vec!["http://127.0.0.1/\"cb,{}".to_owned(), "cursor://x/y".to_owned()],
        auth_method: method("none"),
        client_uri: Some("https://app.example".to_owned()),
        logo_uri: Some("https://app.example/logo.png".to_owned()),
        software_id: Some("software".to_owned()),
        expires_at: Some(expires_at),
        origin: ClientOrigin::Dynamic,
        dpop_bound: true,
        require_pushed: true,
        ..ClientRecord::default()
    }
}

/// In three thousand years, and long ago.
const LATER: u64 = 96_000_000_000_123;
const BEFORE: u64 = 1_000_000_000_123;

#[tokio::test]
async fn what_a_client_registers_of_itself_is_found_again() {
    let (_cluster, sql) = prepared().await;
    let keys = serde_json::json!({ "keys": [{ "kty": "OKP" }] });
    for record in [
        dynamic(LATER),
        ClientRecord { client_id: "jwks".to_owned(), ..keyed(Some(keys), None) },
        ClientRecord {
            client_id: "uri".to_owned(),
            ..keyed(None, Some("https://app.example/jwks"))
        },
    ] {
        let hash = (record.origin == ClientOrigin::Dynamic).then_some("hash");
        clients::register(&sql, &record, hash).await.unwrap();
        let found = clients::find_registration(&sql, &record.client_id).await.unwrap();
        assert_eq!(found, Some((record, hash.map(str::to_owned))));
    }
}

#[tokio::test]
async fn a_client_that_registered_itself_is_replaced_by_its_own_token_alone() {
    let (_cluster, sql) = prepared().await;
    clients::register(&sql, &client(), None).await.unwrap();
    clients::register(&sql, &dynamic(LATER), Some("hash")).await.unwrap();
    let other = ClientRecord { name: "Another's".to_owned(), ..dynamic(LATER) };
    let conflict = Err(DataError::Conflict { what: "client" });
    assert_eq!(clients::register(&sql, &other, Some("another")).await, conflict);
    let first_party = ClientRecord { client_id: "dynamic".to_owned(), ..client() };
    assert_eq!(clients::register(&sql, &first_party, None).await, conflict);
    let taken = ClientRecord { client_id: "gateway".to_owned(), ..dynamic(LATER) };
    assert_eq!(clients::register(&sql, &taken, Some("hash")).await, conflict);
    assert_eq!(clients::find(&sql, "gateway").await, Ok(Some(client())));
    clients::register(&sql, &other, Some("hash")).await.unwrap();
    assert_eq!(clients::find(&sql, "dynamic").await, Ok(Some(other)));
}

#[tokio::test]
async fn only_what_registered_itself_and_is_over_is_deleted() {
    let (_cluster, sql) = prepared().await;
    clients::register(&sql, &ClientRecord { expires_at: Some(BEFORE), ..client() }, None)
        .await
        .unwrap();
    for (id, expires_at) in [("over", BEFORE), ("alive", LATER), ("used", BEFORE)] {
        let record = ClientRecord { client_id: id.to_owned(), ..dynamic(expires_at) };
        clients::register(&sql, &record, Some("hash")).await.unwrap();
    }
    for id in ["used", "gateway", "nobody"] {
        clients::used(&sql, id, LATER).await.unwrap();
    }
    let used = clients::find(&sql, "used").await.unwrap().unwrap();
    assert_eq!(used.expires_at, Some(LATER));
    let own = clients::find(&sql, "gateway").await.unwrap().unwrap();
    assert_eq!(own.expires_at, Some(BEFORE), "those that we registered are for us to judge");
    // Row security, not the statement, holds the service back.
    as_service(&sql, vec![statement("delete from app.oauth_clients where client_id <> 'over'")])
        .await
        .unwrap();
    assert_eq!(clients::expire(&sql).await, Ok(1));
    assert_eq!(clients::expire(&sql).await, Ok(0));
    for (id, there) in [("over", false), ("alive", true), ("used", true), ("gateway", true)] {
        assert_eq!(clients::find(&sql, id).await.unwrap().is_some(), there, "{id}");
    }
}

#[tokio::test]
async fn clients_are_registered_and_found() {
    let (_cluster, sql) = prepared().await;
    assert_eq!(clients::find(&sql, "gateway").await, Ok(None));
    assert_eq!(clients::find(&sql, "gate\0way").await, Ok(None));
    clients::register(&sql, &client(), None).await.unwrap();
    assert_eq!(clients::find(&sql, "gateway").await, Ok(Some(client())));

    let replaced = ClientRecord {
        kind: ClientKind::Public,
        secret_hashes: Vec::new(),
        introspect_audiences: Vec::new(),
        disabled: true,
        policy: None,
        ..client()
    };
    clients::register(&sql, &replaced, None).await.unwrap();
    assert_eq!(clients::find(&sql, "gateway").await, Ok(Some(replaced.clone())));

    for (record, expected) in [
        (
            ClientRecord { secret_hashes: client().secret_hashes, ..replaced.clone() },
            "secret_hashes",
        ),
        (ClientRecord { secret_hashes: Vec::new(), ..client() }, "secret_hashes"),
        (
            ClientRecord { introspect_audiences: client().introspect_audiences, ..replaced },
            "introspect_audiences",
        ),
        (ClientRecord { policy: Some("short".into()), ..client() }, "policy"),
        (ClientRecord { client_id: String::new(), ..client() }, "client_id"),
        (ClientRecord { name: " ".to_owned(), ..client() }, "name"),
        (ClientRecord { auth_method: method("none"), ..client() }, "auth_method"),
        (ClientRecord { auth_method: method("client_secret_jwt"), ..client() }, "auth_method"),
        (ClientRecord { auth_method: method("private_key_jwt"), ..client() }, "jwks"),
        (
            ClientRecord {
                secret_hashes: client().secret_hashes,
                ..keyed(Some(serde_json::json!({})), None)
            },
            "secret_hashes",
        ),
        (ClientRecord { jwks: Some(serde_json::json!({})), ..client() }, "jwks"),
        (keyed(None, None), "jwks"),
        (keyed(Some(serde_json::json!({})), Some("https://app.example/jwks")), "jwks"),
        (keyed(Some(serde_json::json!([])), None), "jwks"),
        (ClientRecord { redirect_uris: vec![String::new(); 51], ..client() }, "redirect_uris"),
        (ClientRecord { origin: ClientOrigin::Document, ..client() }, "origin"),
        (ClientRecord { origin: ClientOrigin::Dynamic, ..client() }, "origin"),
    ] {
        let result = clients::register(&sql, &record, None).await;
        assert!(
            matches!(result, Err(DataError::Invalid { field, .. }) if field == expected),
            "{expected}: {result:?}"
        );
    }
}

#[tokio::test]
async fn the_service_has_its_own_narrow_rights() {
    let (_cluster, sql) = prepared().await;
    let owner = user(&sql, "user_owner", "owner").await;
    create(&sql, &owner, 10).await.unwrap();
    clients::register(&sql, &client(), None).await.unwrap();
    for text in [
        "update app.audit_events set subject = 'x'",
        "delete from app.audit_events",
        "truncate app.audit_events",
        "delete from app.audit_heads",
        "insert into app.audit_checkpoints (ledger) values ('x')",
        "update app.audit_checkpoints set count = 1",
        "delete from app.audit_checkpoints",
        "select * from app.workspaces",
        "select * from app.organizations",
        "select * from app.memberships",
        "insert into app.organizations (id, name) values (gen_random_uuid(), 'x')",
        "select * from app.organizations_of_user('viewer')",
        "set local role atoms_owner",
    ] {
        assert!(denied(as_service(&sql, vec![statement(text)]).await), "{text}");
    }
}

#[tokio::test]
async fn a_transaction_is_undone_as_a_whole() {
    let (_cluster, sql) = prepared().await;
    let member = user(&sql, "user_member", "member").await;
    let insert = format!(
        "insert into app.workspaces (id, organization_id, name) values ('{}', '{}', 'x')",
        key(10),
        key(1)
    );
    let result = as_user(&sql, &member, vec![statement(&insert), statement("select 1/0")]).await;
    assert!(matches!(result, Err(SqlError::Refused { code, .. }) if code == "22012"));
    assert_eq!(names(&sql, &member).await, [""; 0]);
}
