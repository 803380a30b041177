//! What happens to sessions when a store or a clock fails.

use std::future::Future;

use futures::future::{join, join_all};
use ledger::{Address, AuditKind, Command, Ledger, Outcome, Refusal};
use stores::{MemoryStore, RedisStore, SqliteStore, Stored, Version, VersionedStore};
use testing::redis::RedisServer;

use crate::sqlite::Database;
use crate::support::{Native, Person, fresh_address, issue, refresh};

/// Clients that refresh all the time, while Redis is killed and comes back. Who gets no answer
/// repeats its request; nobody is signed out, and no session is behind what its client was told.
#[tokio::test]
async fn redis_killed_in_the_middle_of_refreshes_loses_nothing() {
    const USERS: usize = 10;
    const ROTATIONS: u32 = 40;
    let server = RedisServer::start().await;
    let (native, store) = (Native::new(), RedisStore::new(server.client()));
    let people: Vec<_> = (0..USERS).map(|_| Person::new(native, &store)).collect();
    let sessions = join_all(people.iter().map(Person::sign_in)).await;
    let clients = people.iter().zip(&sessions).map(|(person, issued)| async move {
        let mut failures = 0_u32;
        for counter in 0..ROTATIONS {
            let next = loop {
                match person.apply(refresh(issued.session, counter)).await {
                    Ok(applied) => break issue(applied.outcome),
                    Err(_) => failures += 1,
                }
                assert!(failures < 1_000, "Redis does not come back");
            };
            assert_eq!(next.counter, counter + 1);
        }
        failures
    });
    let crash = async {
        for _ in 0..3 {
            tokio::time::sleep(std::time::Duration::from_millis(60)).await;
            server.kill();
            server.resume().await;
        }
    };
    join(join_all(clients), crash).await;
    // Once more, with nobody at work: what was answered last is there.
    server.kill();
    server.resume().await;
    for (person, issued) in people.iter().zip(&sessions) {
        let next = issue(person.refresh(issued.session, ROTATIONS).await);
        assert_eq!((next.counter, next.repeated), (ROTATIONS + 1, false));
    }
}

#[tokio::test]
async fn memory_that_loses_its_last_writes_goes_forward_and_accuses_nobody() {
    let store = MemoryStore::default();
    loses_its_last_writes(&store, async || store.clone()).await;
}

#[tokio::test]
async fn sqlite_that_loses_its_last_writes_goes_forward_and_accuses_nobody() {
    let (database, backup) = (Database::new(), Database::new());
    let store = SqliteStore::open(database.connect()).await.unwrap();
    loses_its_last_writes(&store, async || {
        // Nobody writes meanwhile, so the file is whole.
        std::fs::copy(database.0.join("ledgers.db"), backup.0.join("ledgers.db")).unwrap();
        SqliteStore::open(backup.connect()).await.unwrap()
    })
    .await;
}

/// A person refreshes, the store is set back to what it was a second before, and the person goes
/// on: with the token that the store does not know of, and with a parallel copy of it.
async fn loses_its_last_writes<A: VersionedStore, B: VersionedStore, F: Future<Output = B>>(
    store: &A,
    snapshot: impl FnOnce() -> F,
) {
    let native = Native::new();
    let before = Person::new(native, store);
    let session = before.sign_in().await.session;
    issue(before.refresh(session, 0).await);
    let restored = snapshot().await;
    for counter in 1..4 {
        native.skew.set(native.skew.get() + 200);
        issue(before.refresh(session, counter).await);
    }
    let after = Person::at(before.address, native, &restored);
    let applied = after.apply(refresh(session, 4)).await.unwrap();
    assert!(applied.events.iter().any(|event| event.kind == AuditKind::Rollback));
    let next = issue(applied.outcome);
    assert_eq!((next.counter, next.repeated), (5, false));
    assert_eq!(issue(after.refresh(session, 4).await).counter, 5, "a parallel refresh converges");
    assert_eq!(issue(after.refresh(session, 5).await).counter, 6);
    let told = stored(&restored, &after.address).await.outbox.events;
    assert!(told.iter().any(|event| event.kind == AuditKind::Rollback), "it is on record");
    assert_eq!(after.refresh(session, 3).await, Outcome::Refused(Refusal::Reuse), "older ones are");
}

async fn stored(store: &impl VersionedStore, address: &Address) -> Ledger {
    let stored = store.load(address).await.unwrap().unwrap();
    serde_json::from_str(&stored.document).unwrap()
}

/// Two hosts on one store, whose clocks are two minutes apart, serve a client in turn.
#[tokio::test]
async fn clocks_that_are_a_minute_off_sign_nobody_out() {
    let store = MemoryStore::default();
    let (fast, slow) = (Native::with_skew(60_000), Native::with_skew(-60_000));
    let address = fresh_address();
    let hosts = [Person::at(address, fast, &store), Person::at(address, slow, &store)];
    let session = hosts[0].sign_in().await.session;
    for counter in 0..6_u32 {
        let (one, other) = (&hosts[counter as usize % 2], &hosts[(counter as usize + 1) % 2]);
        let (first, again) =
            join(one.refresh(session, counter), other.refresh(session, counter)).await;
        assert_eq!(issue(first).counter, counter + 1);
        assert_eq!(issue(again).counter, counter + 1, "both are answered the same");
        other.run(Command::Sweep).await;
    }
    // Reuse is recognised whatever a clock says.
    assert_eq!(hosts[1].refresh(session, 2).await, Outcome::Refused(Refusal::Reuse));
}

/// A document as the first release wrote it, in every store's own form.
#[tokio::test]
async fn a_ledger_of_an_older_schema_is_read_and_upgraded_by_its_next_write() {
    const FIXTURE: &str = include_str!("../../../ledger/tests/fixtures/schema_1.json");
    const NOW: i64 = 1_750_000_700_000;
    let database = Database::new();
    let store = SqliteStore::open(database.connect()).await.unwrap();
    let native = Native::new();
    native.skew.set(NOW - i64::try_from(ports::Clock::now(native)).unwrap());
    let person = Person::new(native, &store);
    let version = Version::from_text("7-00".to_owned());
    let write = Stored { document: FIXTURE.to_owned(), version, due: None };
    assert!(store.swap(&person.address, None, &write).await.unwrap());
    let old: Ledger = serde_json::from_str(FIXTURE).unwrap();
    assert_eq!(old.schema, 1);
    let Outcome::Sessions(sessions) = person.run(Command::List).await else { panic!("no list") };
    assert_eq!(sessions.len(), 1);
    assert_eq!(store.load(&person.address).await.unwrap(), Some(write), "looking writes nothing");
    let Command::Refresh(mut command) = refresh(old.sessions[0].id, 3) else { unreachable!() };
    command.client_id.clone_from(&old.sessions[0].client_id);
    let next = issue(person.run(Command::Refresh(command)).await);
    assert_eq!(next.counter, 4);
    let new = stored(&store, &person.address).await;
    assert_eq!(new.schema, Ledger::SCHEMA);
    assert_eq!(new.owner.as_deref(), Some(old.sessions[0].subject.id.as_str()));
    let version = store.load(&person.address).await.unwrap().unwrap().version;
    assert!(version.as_str().starts_with("8-"), "{version}");
}
