//! Load, apply, compare and swap: what the engine makes of answers that get lost, of others that
//! write at the same time, and of documents that it cannot read.

use std::rc::Rc;

use ledger::{Address, AuditLevel, Command, EndReason, Inactive, Ledger, Outcome, Policy, Refusal};
use stores::{Cas, Gate, MemoryStore, StoreError, Stored, Version, VersionedStore};

use crate::support::{
    Fault, Faulty, Native, Person, check, envelope, fresh_address, issue, policy, refresh, sign_in,
    silent,
};

fn store() -> Faulty<MemoryStore> {
    Faulty::new(MemoryStore::default())
}

async fn held(store: &impl VersionedStore, address: &Address) -> Option<Stored> {
    store.load(address).await.unwrap()
}

#[tokio::test]
async fn a_command_that_changes_nothing_writes_nothing() {
    let store = store();
    let person = Person::new(Native::new(), &store);
    let session = person.sign_in().await.session;
    let before = (held(&store, &person.address).await, store.writes());
    person.run(Command::List).await;
    person.run(check(session, 0)).await;
    person.run(Command::Outbox { limit: 9 }).await;
    let stranger = refresh(ledger::SessionId::from_bytes([9; 16]), 0);
    assert_eq!(person.run(stranger).await, Outcome::Refused(Refusal::UnknownSession));
    assert_eq!((held(&store, &person.address).await, store.writes()), before);
}

#[tokio::test]
async fn a_lost_answer_is_recognised_by_its_own_write() {
    let store = store();
    let person = Person::new(Native::new(), &store);
    let session = person.sign_in().await.session;
    store.fail(Fault::AnswerLost, 1);
    let answer = issue(person.refresh(session, 0).await);
    assert_eq!((answer.counter, answer.repeated), (1, false), "as if nothing had happened");
    assert_eq!(store.writes(), 2, "it is not written again");
    // A session without the name of its sign-in cannot be found again by the command itself.
    store.fail(Fault::AnswerLost, 1);
    person.sign_in().await;
    let Outcome::Sessions(sessions) = person.run(Command::List).await else { panic!("no list") };
    assert_eq!(sessions.len(), 2);
}

#[tokio::test]
async fn a_lost_answer_that_others_wrote_over_is_repeated() {
    let store = store();
    let person = Person::new(Native::new(), &store);
    let session = person.sign_in().await.session;
    store.fail(Fault::Overtaken, 1);
    let answer = issue(person.refresh(session, 0).await);
    assert_eq!((answer.counter, answer.repeated), (1, true), "the same successor");
    assert_eq!(issue(person.refresh(session, 1).await).counter, 2, "nobody was taken for a thief");
}

#[tokio::test]
async fn a_store_that_is_away_is_an_error_and_the_command_can_be_repeated() {
    let store = store();
    let person = Person::new(Native::new(), &store);
    let session = person.sign_in().await.session;
    for fault in [Fault::Away, Fault::AnswerLost, Fault::Overtaken] {
        let person = Person::at(person.address, Native::new(), &store);
        let counter = issue(person.refresh(session, 0).await).counter;
        assert_eq!(counter, 1);
        store.fail(fault, 2);
        let lost = person.apply(Command::RevokeSession { session, reason: None }).await;
        assert_eq!(lost.is_err(), fault == Fault::Away, "{fault:?}");
        store.fail(fault, 0);
        let again = Command::RevokeSession { session, reason: None };
        assert!(matches!(person.run(again).await, Outcome::Revoked { .. }));
        let ended = Outcome::Inactive(Inactive::Ended(EndReason::Revoked));
        assert_eq!(person.run(check(session, 1)).await, ended);
        // Alive again for the next round: a backup is restored.
        restore(&store, &person.address).await;
    }
}

/// Makes every session of the stored ledger active again.
async fn restore(store: &Faulty<MemoryStore>, address: &Address) {
    let stored = held(store, address).await.unwrap();
    let mut ledger: Ledger = serde_json::from_str(&stored.document).unwrap();
    ledger.sessions.iter_mut().for_each(|session| {
        session.state = ledger::State::Active;
        session.counter = 0;
        session.refreshes.clear();
    });
    let version = Version::from_text(format!("{}r", stored.version));
    let write = Stored { document: serde_json::to_string(&ledger).unwrap(), version, due: None };
    assert!(store.inner.swap(address, Some(&stored.version), &write).await.unwrap());
}

#[tokio::test]
async fn who_is_in_the_way_for_a_moment_is_waited_for_and_not_for_ever() {
    let store = store();
    let person = Person::new(Native::new(), &store);
    store.fail(Fault::Busy, 3);
    person.sign_in().await;
    assert_eq!(store.writes(), 4);
    store.fail(Fault::Busy, 1_000);
    let error = person.apply(sign_in()).await.unwrap_err().to_string();
    assert!(error.contains("16 attempts") && error.contains("locked"), "{error}");
    assert_eq!(store.writes(), 20);
}

#[tokio::test]
async fn those_behind_one_gate_do_not_meet_twice() {
    let (store, native, gate) = (store(), Native::new(), Rc::new(Gate::default()));
    let address = fresh_address();
    let session = Person::at(address, native, &store).sign_in().await.session;
    let before = store.writes();
    let commands = (0..40).map(|_| async {
        let cas = Cas::new(native, &store).behind(Rc::clone(&gate));
        cas.apply(&address, &envelope(refresh(session, 0), policy())).await.unwrap()
    });
    let applied = futures::future::join_all(commands).await;
    assert!(applied.into_iter().all(|one| issue(one.outcome).counter == 1));
    // Each tries once, and once more behind the gate; replays that are not counted do not write.
    let writes = store.writes() - before;
    assert!(writes <= 80, "{writes}");
}

#[tokio::test]
async fn a_ledger_that_remembers_nothing_is_removed_also_when_the_answer_is_lost() {
    for fault in [None, Some(Fault::AnswerLost)] {
        let (store, native) = (store(), Native::new());
        let mut person = Person::new(native, &store);
        person.policy = Policy { revocation_memory: 0, ..silent() };
        let session = person.sign_in().await.session;
        person.run(Command::RevokeSession { session, reason: None }).await;
        assert!(held(&store, &person.address).await.is_some());
        if let Some(fault) = fault {
            store.fail(fault, 1);
        }
        native.skew.set(10);
        assert_eq!(person.run(Command::Sweep).await, Outcome::Swept);
        assert_eq!(held(&store, &person.address).await, None);
        assert_eq!(person.cas.due(10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_write_for_a_removed_document_does_not_land_on_the_next_one() {
    let store = MemoryStore::default();
    let person = Person::new(Native::new(), &store);
    person.sign_in().await;
    let first = held(&store, &person.address).await.unwrap();
    assert!(store.remove(&person.address, &first.version).await.unwrap());
    person.sign_in().await;
    let second = held(&store, &person.address).await.unwrap();
    assert!(!store.swap(&person.address, Some(&first.version), &first).await.unwrap());
    assert!(!store.swap(&person.address, None, &first).await.unwrap());
    assert_eq!(held(&store, &person.address).await.unwrap(), second);
}

#[tokio::test]
async fn a_sweep_puts_what_is_still_due_behind_all_others() {
    let store = MemoryStore::default();
    let native = Native::new();
    let (first, second) = (Person::new(native, &store), Person::new(native, &store));
    first.sign_in().await;
    native.skew.set(1_000);
    second.sign_in().await;
    native.skew.set(2_000);
    assert_eq!(first.cas.due(9).await.unwrap(), [first.address, second.address]);
    assert_eq!(first.cas.due(1).await.unwrap(), [first.address]);
    first.run(Command::Sweep).await;
    native.skew.set(3_000);
    assert_eq!(first.cas.due(9).await.unwrap(), [second.address, first.address]);
}

#[tokio::test]
async fn a_sweep_by_another_policy_ends_the_work() {
    let (store, native) = (MemoryStore::default(), Native::new());
    let mut person = Person::new(native, &store);
    person.policy = Policy { revocation_memory: 1_000, ..silent() };
    let session = person.sign_in().await.session;
    person.run(Command::RevokeSession { session, reason: None }).await;
    native.skew.set(2_000);
    assert_eq!(person.cas.due(9).await.unwrap(), [person.address]);
    // The sweep remembers for longer, and changes nothing.
    person.policy = Policy { audit: AuditLevel::Off, ..policy() };
    person.run(Command::Sweep).await;
    assert_eq!(person.cas.due(9).await.unwrap(), [], "it is not due for ever");
}

#[tokio::test]
async fn what_newer_code_has_written_is_left_alone() {
    let store = MemoryStore::default();
    let person = Person::new(Native::new(), &store);
    for document in [r#"{"schema":999}"#, "no JSON", "7"] {
        let version = Version::from_text("1-x".to_owned());
        let write = Stored { document: document.to_owned(), version, due: None };
        let expected = held(&store, &person.address).await.map(|held| held.version);
        assert!(store.swap(&person.address, expected.as_ref(), &write).await.unwrap());
        assert!(person.apply(sign_in()).await.is_err());
        assert_eq!(held(&store, &person.address).await.unwrap(), write, "{document}");
    }
}

/// Answers with nonsense, or not at all.
struct Broken(StoreError);

impl VersionedStore for Broken {
    async fn load(&self, _: &Address) -> Result<Option<Stored>, StoreError> {
        Err(self.0.clone())
    }

    async fn swap(&self, _: &Address, _: Option<&Version>, _: &Stored) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn remove(&self, _: &Address, _: &Version) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn due(&self, _: ledger::Millis, _: u32) -> Result<Vec<Address>, StoreError> {
        Err(self.0.clone())
    }
}

#[tokio::test]
async fn an_outage_is_an_error_and_never_an_outcome() {
    for error in [
        StoreError::Away("refused".to_owned()),
        StoreError::Broken("nonsense".to_owned()),
        StoreError::Busy("locked".to_owned()),
    ] {
        let person = Person::new(Native::new(), Broken(error));
        assert!(person.apply(Command::List).await.is_err());
        assert!(person.cas.due(1).await.is_err());
    }
}
