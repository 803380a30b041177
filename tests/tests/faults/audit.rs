//! The audit trail when Postgres is away, and when somebody has changed it.

use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use audit::{Deliverer, Seals};
use data::as_service;
use data::audit::{EventRow, add, events};
use e2e::World;
use ledger::{
    Actor, Address, Command as Order, CreateSession, Device, Envelope, Origin, Policy, Signals,
    Subject,
};
use oauth::keys::KeyRing;
use ports::{Ledgers, Sql, Statement};
use serde_json::Value;
use stack::{Database, Stack, StackInfo, StackOptions, layout};
use testing::{FakePlatform, NOW};

use crate::seconds;

fn with_all_events() -> StackOptions {
    let settings = vec![("AUDIT_LEVEL".to_owned(), "all".to_owned())];
    StackOptions { settings, ..StackOptions::default() }
}

/// `cargo xtask audit …`, on the stack's database.
fn xtask(info: &StackInfo, arguments: &[&str]) -> Result<Output> {
    let keys = info.settings.get("AUDIT_KEYS").context("no AUDIT_KEYS")?;
    let mut command = Command::new(layout::sibling_binary("xtask")?);
    command.arg("audit").args(arguments).env("DATABASE_URL", &info.postgres_url);
    Ok(command.env("AUDIT_KEYS", keys).output()?)
}

fn verified(info: &StackInfo, more: &[&str]) -> Result<()> {
    let output = xtask(info, &[&["verify"], more].concat())?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What is found, which must be something.
fn found(info: &StackInfo, more: &[&str]) -> Result<String> {
    let output = xtask(info, &[&["verify"], more].concat())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    Ok(text)
}

/// All rows of a person, in order.
async fn rows(database: &Database, subject: &str) -> Result<Vec<EventRow>> {
    let mut rows = events(database, None, 10_000).await?;
    rows.retain(|row| row.subject.as_deref() == Some(subject));
    Ok(rows)
}

fn count(rows: &[EventRow], kind: &str) -> u64 {
    let kind = format!("\"kind\":\"{kind}\"");
    let of_kind = rows.iter().filter(|row| row.event.contains(&kind));
    of_kind
        .map(|row| serde_json::from_str::<Value>(&row.event).unwrap_or_default())
        .map(|event| event["count"].as_u64().unwrap_or(1))
        .sum()
}

#[tokio::test]
async fn f16_what_happens_while_postgres_is_away_is_delivered_afterwards_exactly_once() -> Result<()>
{
    const REFRESHES: u64 = 12;
    let mut stack = Stack::start(with_all_events()).await?;
    let world = World::of(stack.info())?;
    let people = [world.person().await?, world.person().await?];
    let mut sessions = Vec::new();
    for person in &people {
        sessions.push([person.session("atoms-web").await?, person.session("atoms-web").await?]);
    }
    // Whose client is not known by then cannot introspect.
    assert!(world.is_active(&sessions[0][0].access).await?);
    stack.stop_proxy();

    for [busy, ended] in &mut sessions {
        for _ in 0..REFRESHES / 2 {
            *busy = busy.refreshed(&world.api).await?;
        }
        world.api.revoke(&ended.client, &ended.refresh, &[]).await?.expect(200, "revoke")?;
    }
    // Long enough for attempts that fail.
    seconds(9.0).await;
    for [busy, _] in &mut sessions {
        for _ in 0..REFRESHES / 2 {
            *busy = busy.refreshed(&world.api).await?;
        }
        assert!(world.is_active(&busy.access).await?, "no user has noticed");
    }
    let database = Database::connect(&stack.info().postgres_url).await?;
    let early = rows(&database, &people[0].user.id).await?;
    assert_eq!(count(&early, "session.revoked"), 0, "it was away");
    stack.start_proxy().await?;

    let mut waited = 0;
    for person in &people {
        loop {
            let rows = rows(&database, &person.user.id).await?;
            if count(&rows, "token.rotated") >= REFRESHES {
                break;
            }
            waited += 1;
            if waited > 120 {
                bail!("not delivered: {} rows", rows.len());
            }
            seconds(0.5).await;
        }
        // One more attempt that repeats nothing.
        seconds(5.0).await;
        let rows = rows(&database, &person.user.id).await?;
        let counts = ["session.created", "token.rotated", "session.revoked"];
        assert_eq!(counts.map(|kind| count(&rows, kind)), [2, REFRESHES, 1]);
        let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=REFRESHES + 3).collect::<Vec<_>>());
        let ids: Vec<_> = rows.iter().map(|row| row.event.contains("\"request_id\"")).collect();
        assert!(ids.iter().all(|there| *there));
    }
    verified(stack.info(), &[])
}

#[tokio::test]
async fn an_undelivered_trail_survives_a_crash() -> Result<()> {
    let mut stack = Stack::start(with_all_events()).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    stack.stop_proxy();
    let session = session.refreshed(&world.api).await?;
    stack.kill_functions();
    stack.start_proxy().await?;
    stack.start_functions().await?;
    // Nobody calls: the alarm that was set before the crash rings.
    let database = Database::connect(&stack.info().postgres_url).await?;
    for _ in 0..80 {
        let rows = rows(&database, &person.user.id).await?;
        if count(&rows, "token.rotated") == 1 {
            assert_eq!((rows.len(), count(&rows, "session.created")), (2, 1));
            session.refreshed(&world.api).await?;
            return verified(stack.info(), &[]);
        }
        seconds(0.5).await;
    }
    bail!("not delivered after the crash")
}

/// A trail of long ago: a ledger with so many sessions, one event each.
async fn old_trail(database: &Database, info: &StackInfo, sessions: usize) -> Result<Address> {
    let (address, platform) = (Address::from_bytes([7; 16]), FakePlatform::new(NOW));
    let policy = Policy { max_sessions: 100, ..Policy::default() };
    for number in 0..sessions {
        platform.set_now(NOW + u64::try_from(number)? * 1_000);
        let command = Order::CreateSession(CreateSession {
            subject: Subject {
                id: "user_of_long_ago".to_owned(),
                organization: None,
                roles: Vec::new(),
            },
            client_id: "atoms-web".to_owned(),
            scopes: Vec::new(),
            scopes_by_default: true,
            resources: Vec::new(),
            resources_by_default: true,
            device: Device { label: "curl".to_owned(), fingerprint: None },
            external_id: None,
            authenticated_at: NOW,
            key_id: 1,
            signals: Signals::default(),
            fresh_for: 0,
            code: None,
            proof: None,
            key: None,
        });
        let origin = Origin { actor: Actor::Service, ..Origin::default() };
        let envelope = Envelope { command, policy: policy.clone(), origin };
        platform.execute(&address, &envelope).await?;
    }
    let keys = info.settings.get("AUDIT_KEYS").context("no AUDIT_KEYS")?;
    let seals = Seals::new(KeyRing::parse(keys)?);
    let deliverer = Deliverer { ledgers: &platform, sql: database, seals: &seals, policy: &policy };
    deliverer.deliver(&address, 100).await?;
    Ok(address)
}

/// As whoever has the database, past row-level security.
async fn tamper(database: &Database, text: &str) -> Result<()> {
    database.transaction(&[Statement { text, parameters: Vec::new() }]).await?;
    Ok(())
}

#[tokio::test]
async fn whatever_is_changed_in_the_trail_is_found_and_only_retention_may_shorten_it() -> Result<()>
{
    // Maintenance shortens the trail as well.
    let options = StackOptions { unscheduled: true, ..StackOptions::default() };
    let stack = Stack::start(options).await?;
    let info = stack.info();
    let database = Database::connect(&info.postgres_url).await?;
    let ledger = old_trail(&database, info, 6).await?;
    let old = rows(&database, "user_of_long_ago").await?;
    let anchors = info.folder.join("anchors");
    let anchors = anchors.to_str().context("a path")?;
    verified(info, &["--anchors", anchors])?;

    let of = format!("where ledger = '{ledger}' and number =");
    let update =
        |what: &str, number: u8| format!("update app.audit_events set {what} {of} {number}");
    for (change, back, word) in [
        (
            update("event = replace(event, 'curl', 'wget')", 3),
            update("event = replace(event, 'wget', 'curl')", 3),
            "changed; the event is not the one of its link",
        ),
        (
            update("subject = 'user_else'", 4),
            update("subject = 'user_of_long_ago'", 4),
            "changed or inserted; its seal is wrong",
        ),
        (
            format!(
                "insert into app.audit_events (hash, ledger, number, prev, seal, key_id, event)
                 select repeat('e', 64), ledger, 7, hash, seal, key_id, event
                 from app.audit_events {of} 6"
            ),
            format!("delete from app.audit_events {of} 7"),
            "event 7",
        ),
    ] {
        tamper(&database, &change).await?;
        let report = found(info, &[])?;
        assert!(report.contains(word) && report.contains(&ledger.to_string()), "{report}");
        tamper(&database, &back).await?;
        verified(info, &[])?;
    }
    for (gone, word) in [
        (2, "event 2 before it is missing"),
        (1, "event 1 before it is missing"),
        (6, "missing, and it is the head of the chain"),
    ] {
        tamper(&database, &format!("delete from app.audit_events {of} {gone}")).await?;
        let report = found(info, &[])?;
        assert!(report.contains(word), "{report}");
        as_service(&database, vec![add(&old)?]).await?;
        verified(info, &[])?;
    }

    let shortened = xtask(info, &["retain", "--days", "30"])?;
    let text = String::from_utf8_lossy(&shortened.stdout).into_owned();
    assert!(shortened.status.success() && text.contains("6 events of 1 ledgers"), "{text}");
    assert_eq!(rows(&database, "user_of_long_ago").await?, []);
    verified(info, &["--anchors", anchors])?;
    tamper(&database, "update app.audit_checkpoints set number = 5").await?;
    assert!(found(info, &[])?.contains("the seal of the head or checkpoint is wrong"));
    tamper(&database, "delete from app.audit_checkpoints").await?;
    assert!(found(info, &[])?.contains("missing, and it is the head of the chain"));
    tamper(&database, "delete from app.audit_heads").await?;
    assert!(found(info, &["--anchors", anchors])?.contains("was noted as a head, and is gone"));
    Ok(())
}
