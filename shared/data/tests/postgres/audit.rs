//! The audit trail on a real Postgres: stored once, seen by the person it is about alone, changed by
//! nobody.

use crate::support::{Cluster, DEPLOYER, Direct, SUPERUSER, migrator};
use data::audit::{
    self, CheckpointRow, Entry, EventRow, Filter, HeadRow, Place, add, list, move_head,
};
use data::{Caller, DataError, as_service, as_user};
use ports::{SqlError, Statement};

const DAY: u64 = 24 * 60 * 60 * 1_000;
/// Long ago.
const THEN: u64 = 1_700_000_000_000;

async fn prepared() -> (Cluster, Direct) {
    let cluster = Cluster::start().await;
    cluster.migrate(DEPLOYER).await;
    let sql = cluster.sql();
    (cluster, sql)
}

fn ada() -> Caller {
    Caller { subject: "user_ada".to_owned(), organization: None, roles: Vec::new() }
}

fn hex(number: u64, digits: usize) -> String {
    format!("{number:0digits$x}")
}

/// An event of a chain of ledger 1, which is Ada's. What Postgres makes of links and seals is
/// nothing: here they are just numbers.
fn event(number: u64, at: u64, more: &str) -> EventRow {
    EventRow {
        hash: hex(number, 64),
        ledger: hex(1, 32),
        number,
        prev: hex(number - 1, 64),
        seal: hex(99, 64),
        key_id: 1,
        subject: Some("user_ada".to_owned()),
        event: format!(
            r#"{{"id":{number},"kind":"session.created","at":{at}{more},"outcome":"success"}}"#
        ),
    }
}

fn head(number: u64) -> HeadRow {
    let (ledger, hash) = (hex(1, 32), hex(number, 64));
    HeadRow { ledger, number, hash, seal: hex(99, 64), key_id: 1 }
}

async fn deliver(sql: &Direct, rows: &[EventRow]) {
    let last = rows.last().map_or(1, |row| row.number);
    let statements = vec![add(rows).unwrap(), move_head(&head(last)).unwrap()];
    as_service(sql, statements).await.unwrap();
}

async fn seen(sql: &Direct, caller: &Caller, filter: Filter) -> Vec<u64> {
    let (entries, _) = list(sql, caller, filter, 100).await.unwrap();
    entries.iter().map(|entry| entry.number).collect()
}

fn statement(text: &str) -> Statement<'_> {
    Statement { text, parameters: Vec::new() }
}

fn denied<T>(result: Result<T, SqlError>) -> bool {
    matches!(result, Err(SqlError::Refused { code, .. }) if code == "42501")
}

#[tokio::test]
async fn an_event_that_is_delivered_again_is_stored_once() {
    let (_cluster, sql) = prepared().await;
    let rows: Vec<_> = (1..=3).map(|number| event(number, THEN + number, "")).collect();
    deliver(&sql, &rows[..2]).await;
    deliver(&sql, &rows).await;
    let changed = EventRow { seal: hex(7, 64), ..rows[0].clone() };
    deliver(&sql, &[changed]).await;
    assert_eq!(audit::events(&sql, None, 100).await.unwrap(), rows);
    assert_eq!(audit::heads(&sql, None, 100).await.unwrap(), [head(3)]);
    let page = audit::events(&sql, Some(&rows[0]), 1).await.unwrap();
    assert_eq!(page, rows[1..2]);
    assert_eq!(audit::heads(&sql, Some(&head(3)), 9).await.unwrap(), []);
}

#[tokio::test]
async fn an_event_and_its_head_are_stored_together_or_not_at_all() {
    let (_cluster, sql) = prepared().await;
    let broken = HeadRow { seal: "none".to_owned(), ..head(1) };
    let statements = vec![add(&[event(1, THEN, "")]).unwrap(), move_head(&broken).unwrap()];
    assert!(as_service(&sql, statements).await.is_err());
    assert_eq!(audit::events(&sql, None, 100).await.unwrap(), []);
}

#[tokio::test]
async fn people_see_their_own_events_and_only_what_is_for_them() {
    let (_cluster, sql) = prepared().await;
    let more = r#","session":"ab","client_id":"atoms-web","organization":"org","device":"curl","network":"192.0.2.0/24","actor":{"operator":"olga"},"reason":"a \u0000 b","request_id":"r","trace_id":"t","count":3"#;
    let bobs =
        EventRow { subject: Some("user_bob".to_owned()), ledger: hex(2, 32), ..event(8, THEN, "") };
    let nobodys = EventRow { subject: None, ledger: hex(3, 32), ..event(9, THEN, "") };
    as_service(&sql, vec![add(&[event(1, THEN + 5, more), bobs, nobodys]).unwrap()]).await.unwrap();
    let (entries, next) = list(&sql, &ada(), Filter::default(), 100).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let expected = Entry {
        hash: hex(1, 64),
        number: 1,
        kind: "session.created".to_owned(),
        at: THEN + 5,
        session_id: text("ab"),
        client_id: text("atoms-web"),
        organization_id: text("org"),
        actor: "operator".to_owned(),
        outcome: "success".to_owned(),
        reason: text("a \u{fffd} b"),
        device: text("curl"),
        network: text("192.0.2.0/24"),
        request_id: text("r"),
        trace_id: text("t"),
        count: 3,
    };
    assert_eq!((entries, next), (vec![expected], None));

    for text in ["select event from app.audit_events", "select seal from app.audit_events"] {
        assert!(denied(as_user(&sql, &ada(), vec![statement(text)]).await), "{text}");
    }
    let count = "select count(*)::text from (select hash from app.audit_events) as all_rows";
    let rows = as_user(&sql, &ada(), vec![statement(count)]).await.unwrap();
    assert_eq!(rows[0].rows, [[text("1")]], "without a filter of ours it is row-level security");
    let stranger = Caller { subject: "user_eve".to_owned(), ..ada() };
    assert_eq!(seen(&sql, &stranger, Filter::default()).await, [0; 0]);
}

#[tokio::test]
async fn nobody_adds_changes_or_removes_events() {
    let (_cluster, sql) = prepared().await;
    deliver(&sql, &[event(1, THEN, ""), event(2, THEN, "")]).await;
    let writes = [
        "update app.audit_events set subject = 'user_eve'",
        "update app.audit_events set event = '{}'",
        "delete from app.audit_events",
        "truncate app.audit_events",
        "delete from app.audit_heads",
        "insert into app.audit_checkpoints (ledger, number, hash, count, at, seal, key_id)
            values ('x', 1, 'x', 1, 1, 'x', 1)",
        "alter table app.audit_heads disable trigger forward",
    ];
    for text in writes {
        assert!(denied(as_service(&sql, vec![statement(text)]).await), "service: {text}");
        assert!(denied(as_user(&sql, &ada(), vec![statement(text)]).await), "person: {text}");
    }
    let copy =
        "insert into app.audit_events (hash, ledger, number, prev, seal, key_id, subject, event)
        values ('x', 'x', 1, 'x', 'x', 1, 'user_ada', '{}')";
    for text in [copy, "update app.audit_heads set number = 9", "select * from app.audit_heads"] {
        assert!(denied(as_user(&sql, &ada(), vec![statement(text)]).await), "{text}");
    }
    let back = "update app.audit_heads set number = 1 returning 1";
    let refused = as_service(&sql, vec![statement(back)]).await;
    assert!(
        matches!(&refused, Err(SqlError::Refused { code, .. }) if code == "23514"),
        "{refused:?}"
    );
    as_service(&sql, vec![move_head(&head(1)).unwrap()]).await.unwrap();
    assert_eq!(audit::heads(&sql, None, 9).await.unwrap(), [head(2)], "an older one is left out");
}

#[tokio::test]
async fn the_list_is_filtered_and_paged_from_the_newest_on() {
    let (_cluster, sql) = prepared().await;
    let mut rows: Vec<_> = (1..=6).map(|number| event(number, THEN + 1_000 * number, "")).collect();
    rows[1] = event(2, THEN + 2_000, r#","session":"ab""#);
    rows[2].event = rows[2].event.replace("session.created", "token.revoked");
    rows[3].event = rows[3].event.replace("success", "alert");
    // At the same moment the link decides.
    rows[5] = event(6, THEN + 5_000, "");
    deliver(&sql, &rows).await;
    let all = Filter::default();
    let owned = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (all.clone(), vec![6, 5, 4, 3, 2, 1]),
        (Filter { session: owned("ab"), ..all.clone() }, vec![2]),
        (Filter { kinds: Some(vec!["token.revoked".to_owned()]), ..all.clone() }, vec![3]),
        (Filter { kinds: Some(vec!["x".to_owned()]), ..all.clone() }, vec![]),
        (Filter { outcome: owned("alert"), ..all.clone() }, vec![4]),
        (Filter { from: Some(THEN + 4_000), ..all.clone() }, vec![6, 5, 4]),
        (Filter { to: Some(THEN + 2_000), ..all.clone() }, vec![1]),
    ] {
        assert_eq!(seen(&sql, &ada(), filter.clone()).await, expected, "{filter:?}");
    }

    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let filter = Filter { after, ..all.clone() };
        let (page, next): (Vec<Entry>, Option<Place>) =
            list(&sql, &ada(), filter, 1).await.unwrap();
        assert_eq!(page.len(), 1);
        numbers.push(page[0].number);
        if numbers.len() == 2 {
            // What comes in between moves no page.
            deliver(&sql, &[event(7, THEN + 9_000, "")]).await;
        }
        if next.is_none() {
            break;
        }
        after = next;
    }
    assert_eq!(numbers, [6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn old_events_are_deleted_behind_a_checkpoint_that_fits_and_no_other() {
    let (_cluster, sql) = prepared().await;
    let now = "select (extract(epoch from now()) * 1000)::bigint::text";
    let now: u64 = as_service(&sql, vec![statement(now)]).await.unwrap()[0].rows[0][0]
        .as_deref()
        .and_then(|now| now.parse().ok())
        .unwrap();
    let mut rows: Vec<_> = (1..=3).map(|number| event(number, THEN + number, "")).collect();
    // A clock that went back: it is behind what is kept, and is kept.
    rows.extend([event(4, now, ""), event(5, THEN, "")]);
    deliver(&sql, &rows).await;
    let before = now - 30 * DAY;
    let beginnings = audit::old_beginnings(&sql, before, "", 9).await.unwrap();
    assert_eq!(beginnings.len(), 1);
    assert_eq!((&beginnings[0].row, beginnings[0].count), (&rows[2], 3));
    assert_eq!(audit::old_beginnings(&sql, before, &hex(1, 32), 9).await.unwrap(), []);
    assert_eq!(audit::old_beginnings(&sql, THEN, "", 9).await.unwrap(), []);

    let (ledger, hash, seal) = (hex(1, 32), hex(3, 64), hex(99, 64));
    let fits = CheckpointRow { ledger, number: 3, hash, count: 3, at: now, seal, key_id: 1 };
    for (wrong, before) in [
        (CheckpointRow { hash: hex(2, 64), ..fits.clone() }, before),
        (CheckpointRow { count: 2, ..fits.clone() }, before),
        (CheckpointRow { number: 5, hash: hex(5, 64), count: 5, ..fits.clone() }, before),
        (CheckpointRow { number: 9, ..fits.clone() }, before),
        (CheckpointRow { seal: "none".to_owned(), ..fits.clone() }, before),
        // The last day.
        (fits.clone(), now),
    ] {
        let refused = audit::retain(&sql, std::slice::from_ref(&wrong), before).await;
        assert!(matches!(refused, Err(DataError::Internal(_))), "{wrong:?}");
    }
    assert_eq!(audit::events(&sql, None, 9).await.unwrap().len(), 5);
    assert_eq!(audit::retain(&sql, std::slice::from_ref(&fits), before).await, Ok(3));
    assert_eq!(audit::events(&sql, None, 9).await.unwrap(), rows[3..]);
    assert_eq!(audit::checkpoints(&sql, None, 9).await.unwrap(), std::slice::from_ref(&fits));
    assert_eq!(audit::checkpoints(&sql, Some(&fits), 9).await.unwrap(), []);
    let text = "select app.audit_retain('{}', now())";
    assert!(denied(as_user(&sql, &ada(), vec![statement(text)]).await));
}

#[tokio::test]
async fn a_trail_of_another_shape_is_not_thrown_away() {
    let cluster = Cluster::start().await;
    let mut connection = cluster.connect(DEPLOYER).await;
    let migrator = migrator().await;
    migrator.run(&mut connection).await.unwrap();
    migrator.undo(&mut connection, 7).await.unwrap();
    let row =
        "insert into app.audit_events (id, kind, outcome) values (gen_random_uuid(), 'x', 'y')";
    cluster.script(SUPERUSER, row).await.unwrap();
    let error = migrator.run(&mut connection).await.unwrap_err().to_string();
    assert!(error.contains("0008") || error.contains("migration 8"), "{error}");
}
