//! What a database consists of: the reviewed text is what the scripts make, and what differs is told.

use migrations::{Catalogue, Connection, Difference, Statement};

use crate::support::{By, Cluster};

#[tokio::test]
async fn the_reviewed_catalogue_is_what_the_scripts_make() {
    let cluster = Cluster::migrated(By::Session).await;
    let text = std::fs::read_to_string(migrations::snapshot()).unwrap();
    let differences = Catalogue::parse(&text).compare(&cluster.catalogue().await);
    let shown: String = differences.iter().map(ToString::to_string).collect();
    assert!(
        shown.is_empty(),
        "migrations/catalogue.txt is of other scripts; if the scripts are right, \
         write it anew with `cargo xtask db snapshot` and review it:\n{shown}"
    );
}

#[tokio::test]
async fn both_ways_and_everybody_see_the_same() {
    let cluster = Cluster::migrated(By::Proxy).await;
    let over_http = cluster.catalogue().await;
    let mut superuser = cluster.superuser().await;
    assert_eq!(over_http.compare(&Catalogue::read(&mut superuser).await.unwrap()), []);
}

/// A change, its undoing, and what is told of it: `+` more, `-` less, `~` different.
const CHANGES: &[(&str, &str, &str)] = &[
    ("create table app.t ()", "drop table app.t", "+ table app.t"),
    (
        "alter table app.workspaces add column c int",
        "alter table app.workspaces drop column c",
        "+ table app.workspaces column c",
    ),
    (
        "alter table app.workspaces alter column name drop not null",
        "alter table app.workspaces alter column name set not null",
        "~ table app.workspaces column name",
    ),
    (
        "alter table app.workspaces alter column name set default 'x'",
        "alter table app.workspaces alter column name drop default",
        "~ table app.workspaces column name",
    ),
    (
        "alter table app.workspaces disable row level security",
        "alter table app.workspaces enable row level security",
        "~ table app.workspaces",
    ),
    (
        "alter table app.workspaces owner to postgres",
        "alter table app.workspaces owner to atoms_owner",
        "~ table app.workspaces",
    ),
    (
        "create policy p on app.ledgers as restrictive for select to public using (true)",
        "drop policy p on app.ledgers",
        "+ table app.ledgers policy p",
    ),
    (
        "alter policy service_read on app.ledgers using (due_at is null)",
        "alter policy service_read on app.ledgers using (true)",
        "~ table app.ledgers policy service_read",
    ),
    (
        "alter table app.workspaces disable trigger next_version",
        "alter table app.workspaces enable trigger next_version",
        "~ table app.workspaces trigger next_version",
    ),
    (
        "drop index app.ledgers_due_at",
        "create index ledgers_due_at on app.ledgers (due_at) where due_at is not null",
        "- table app.ledgers index ledgers_due_at",
    ),
    (
        "alter table app.ledgers drop constraint ledgers_address_form",
        "alter table app.ledgers add constraint ledgers_address_form check (address ~ '^[0-9a-f]{32}$')",
        "- table app.ledgers constraint ledgers_address_form",
    ),
    (
        "grant select on app.ledgers to authenticated",
        "revoke select on app.ledgers from authenticated",
        "+ table app.ledgers grant to authenticated",
    ),
    (
        "grant update (version) on app.workspaces to authenticated",
        "revoke update (version) on app.workspaces from authenticated",
        "~ table app.workspaces grant to authenticated",
    ),
    (
        "grant execute on function app.touch() to public",
        "revoke execute on function app.touch() from public",
        "+ function app.touch() grant to public",
    ),
    (
        "alter function app.touch() security definer",
        "alter function app.touch() security invoker",
        "~ function app.touch()",
    ),
    ("create view app.v as select 1 as one", "drop view app.v", "+ view app.v"),
    ("create type app.e as enum ('a', 'b')", "drop type app.e", "+ type app.e"),
    (
        "alter role authenticated bypassrls",
        "alter role authenticated nobypassrls",
        "~ role authenticated",
    ),
    (
        "grant atoms_owner to authenticated",
        "revoke atoms_owner from authenticated",
        "+ role authenticated member of atoms_owner",
    ),
    (
        "create role joe; grant atoms_owner to joe",
        "drop role joe",
        "+ role joe member of atoms_owner",
    ),
    (
        "revoke atoms_service from authenticator",
        "grant atoms_service to authenticator",
        "- role authenticator member of atoms_service",
    ),
    (
        "alter default privileges for role atoms_owner in schema app grant select on tables to public",
        "alter default privileges for role atoms_owner in schema app revoke select on tables from public",
        "+ default privileges of atoms_owner in app on tables grant to public",
    ),
    (
        "grant create on schema app to authenticated",
        "revoke create on schema app from authenticated",
        "~ schema app grant to authenticated",
    ),
];

#[tokio::test]
async fn what_was_changed_by_hand_is_told() {
    let cluster = Cluster::migrated(By::Session).await;
    // One session: to log in takes longer than to look.
    let mut session = cluster.superuser().await;
    let clean = Catalogue::read(&mut session).await.unwrap();
    for (change, undo, expected) in CHANGES {
        session.transaction(&[Statement::new(*change)]).await.unwrap();
        let differences = clean.compare(&Catalogue::read(&mut session).await.unwrap());
        let told = differences.iter().map(ToString::to_string).collect::<String>();
        assert!(told.lines().any(|line| line == *expected), "{change}: {told}");
        session.transaction(&[Statement::new(*undo)]).await.unwrap();
        assert_eq!(clean.compare(&Catalogue::read(&mut session).await.unwrap()), [], "{undo}");
    }
}

#[tokio::test]
async fn other_people_s_tables_are_none_of_ours() {
    let cluster = Cluster::migrated(By::Session).await;
    let clean = cluster.catalogue().await;
    cluster
        .by_hand("create schema theirs; create table theirs.t (); create table public.u ()")
        .await;
    assert_eq!(clean.compare(&cluster.catalogue().await), [] as [Difference; 0]);
}
