//! The part of the ledgers' suite about crowds, lost answers and the work that is left to do.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join_all, join3};
use ledger::{
    AuditKind, AuditLevel, ChainedEvent, Command, Delivery, Inactive, Link, Millis, Outcome,
    Policy, Revoke, SessionId,
};
use ports::{Clock, Ledgers};

use super::ledgers::{CLIENT, Case, LedgerStore, access, issue, quiet, refresh};

const SESSIONS: usize = 2;
const REVOCATIONS: usize = 60;
const REFRESHES: usize = 940;

/// A thousand at once, a hundred of which have to write. Those who are told to try again later do.
pub(super) async fn a_thousand_commands_at_once_lose_nothing<L: Ledgers + Clock>(
    case: &Case<'_, L>,
) {
    let created = join_all((0..SESSIONS).map(|_| case.create())).await;
    let sessions: Vec<_> = created.iter().map(|one| one.session).collect();
    let now = case.host.now();
    let jti = |number: usize| format!("token-{number}");
    let revoke = |number: usize| {
        let session = sessions[number % SESSIONS];
        case.insist(revoke_one(session, &jti(number), now))
    };
    let rotate = |number: usize| case.insist(refresh(sessions[number % SESSIONS], 0));
    let (revoked, rotated) = futures::future::join(
        join_all((0..REVOCATIONS).map(revoke)),
        join_all((0..REFRESHES).map(rotate)),
    )
    .await;
    assert!(revoked.iter().all(|one| *one == Outcome::Revoked { sessions: 0 }));
    let issues: Vec<_> = rotated.into_iter().map(issue).collect();
    for session in &sessions {
        let of = issues.iter().filter(|one| one.session == *session);
        let (first, counters): (Vec<_>, Vec<_>) =
            of.map(|one| (!one.repeated, one.counter)).unzip();
        assert!(counters.iter().all(|counter| *counter == 1), "one rotation");
        assert!(first.iter().filter(|first| **first).count() <= 1, "and one that made it");
    }
    for number in 0..REVOCATIONS {
        let seen = case.check(sessions[number % SESSIONS], &jti(number)).await;
        assert_eq!(seen, Outcome::Inactive(Inactive::TokenRevoked), "{number} was lost");
    }
    for session in sessions {
        let next = issue(case.refresh(session, 1).await);
        assert_eq!((next.counter, next.repeated), (2, false), "all stand at one");
    }
}

/// The caller, or the store's adapter, repeats the command and gets what was decided.
pub(super) async fn a_lost_answer_is_no_lost_command<S: LedgerStore>(
    store: &S,
    case: &Case<'_, S::Host>,
) {
    // Once is what an adapter may smooth out; more often it is the caller's to repeat.
    for lost in [1, 2, 5] {
        if !store.lose_answers(lost) {
            return;
        }
        let sign_in = case.sign_in(Some(&format!("sign-in {lost}")));
        let session = issue(case.insist(sign_in.clone()).await).session;
        assert_eq!(case.list().await.len(), 1, "one sign-in, one session");
        for counter in 0..3 {
            store.lose_answers(lost);
            let answer = issue(case.insist(refresh(session, counter)).await);
            assert_eq!((answer.session, answer.counter), (session, counter + 1));
        }
        store.lose_answers(lost);
        case.insist(revoke_one(session, "one", case.host.now())).await;
        let seen = case.insist(check(session, "one", case.host.now())).await;
        assert_eq!(seen, Outcome::Inactive(Inactive::TokenRevoked));
        store.lose_answers(lost);
        case.insist(Command::RevokeSession { session, reason: None }).await;
        store.lose_answers(0);
        assert_eq!(case.list().await, []);
    }
}

pub(super) async fn events_appear_with_their_change_and_stay_until_delivered<L: Ledgers + Clock>(
    case: &Case<'_, L>,
) {
    let case = Case { policy: audited(), ..*case };
    let nothing = case.outbox(9).await;
    assert_eq!((nothing.owner, nothing.events, nothing.more), (None, Vec::new(), 0));
    let created = join_all((0..4).map(|_| case.create())).await;
    let shown = case.outbox(3).await;
    assert_eq!((shown.events.len(), shown.more), (3, 1));
    assert_eq!(shown.owner.as_deref(), Some(created[0].subject.id.as_str()));
    let shown = case.outbox(9).await.events;
    chained(Link::default(), &shown);
    for session in created.iter().map(|one| one.session) {
        let told = |one: &&ChainedEvent| one.event.session == Some(session);
        let event = &shown.iter().find(told).expect("an event for each").event;
        assert_eq!(event.kind, AuditKind::SessionCreated);
    }
    assert_eq!(case.outbox(9).await.events, shown, "looking changes nothing");
    let session = created[0].session;
    case.run(Command::RevokeSession { session, reason: None }).await;
    let acknowledged = case.run(acknowledge(&shown[3])).await;
    assert_eq!(acknowledged, Outcome::Acknowledged { events: 4, pending: 1 }, "exactly those");
    let rest = case.outbox(9).await.events;
    chained(shown[3].hash, &rest);
    assert_eq!(rest[0].event.kind, AuditKind::SessionRevoked);
    let again = case.run(acknowledge(&shown[3])).await;
    assert_eq!(again, Outcome::Acknowledged { events: 0, pending: 1 });
    assert_eq!(case.outbox(9).await.events, rest);
}

/// Two that deliver, while others add: what each of them has taken is everything, in one chain.
pub(super) async fn two_deliverers_tell_everything<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let case = Case { policy: audited(), ..*case };
    let deliver = async || {
        let mut taken = BTreeMap::new();
        for _ in 0..8 {
            let events = case.outbox(3).await.events;
            let Some(acknowledge) = events.last().map(acknowledge) else { continue };
            taken.extend(events.into_iter().map(|one| (one.event.id, one)));
            case.insist(acknowledge).await;
        }
        taken
    };
    let write = async || {
        for _ in 0..6 {
            let session = case.create().await.session;
            case.insist(Command::RevokeSession { session, reason: None }).await;
        }
    };
    let (mut taken, other, ()) = join3(deliver(), deliver(), write()).await;
    for (id, event) in other {
        let same = taken.entry(id).or_insert_with(|| event.clone());
        assert_eq!(*same, event, "a number means one event");
    }
    let rest = case.outbox(99).await.events;
    assert!(rest.iter().all(|one| !taken.contains_key(&one.event.id)), "told and forgotten");
    taken.extend(rest.into_iter().map(|one| (one.event.id, one)));
    let all: Vec<_> = taken.into_values().collect();
    chained(Link::default(), &all);
    assert_eq!(all.len(), 12, "six sessions, made and ended");
}

pub(super) async fn ledgers_with_work_due_are_found<S: LedgerStore>(
    store: &S,
    case: &Case<'_, S::Host>,
) {
    let is_due = async || store.due(10_000).await.map(|due| due.contains(&case.address));
    if is_due().await.is_none() {
        return;
    }
    let short = Policy { idle: 1000, revocation_memory: 1000, ..quiet() };
    let silent = Policy { audit: AuditLevel::Off, ..short.clone() };
    let quiet = Case { policy: silent, ..*case };
    assert_eq!(is_due().await, Some(false), "nobody has used the address");
    let session = quiet.create().await.session;
    assert_eq!(is_due().await, Some(false), "nothing has happened");
    let wait = async || store.wait(Duration::from_millis(1500)).await;
    wait().await;
    assert_eq!(is_due().await, Some(true), "the session has timed out");
    assert_eq!(quiet.run(Command::Sweep).await, Outcome::Swept);
    let ended = quiet.check(session, "x").await;
    assert!(matches!(ended, Outcome::Inactive(_)), "it has ended: {ended:?}");
    wait().await;
    assert_eq!(is_due().await, Some(true), "it need not be remembered");
    quiet.run(Command::Sweep).await;
    assert_eq!(is_due().await, Some(false), "nothing is left");

    let audited = Case { policy: Policy { audit: AuditLevel::Notable, ..short }, ..*case };
    audited.create().await;
    assert_eq!(is_due().await, Some(true), "there is something to tell");
    audited.run(Command::Sweep).await;
    assert_eq!(is_due().await, Some(true), "which is not swept away");
    let last = audited.outbox(9).await.events.pop().expect("an event");
    audited.run(acknowledge(&last)).await;
    assert_eq!(is_due().await, Some(false), "it is told");
    let limited = store.due(0).await;
    assert_eq!(limited, Some(Vec::new()));
}

impl<L: Ledgers + Clock> Case<'_, L> {
    async fn outbox(&self, limit: u32) -> Delivery {
        match self.insist(Command::Outbox { limit }).await {
            Outcome::Outbox(delivery) => delivery,
            other => unreachable!("Outbox answered {other:?}"),
        }
    }
}

fn audited() -> Policy {
    Policy { audit: AuditLevel::Notable, ..quiet() }
}

/// Each event follows the one before, from `link` on.
fn chained(mut link: Link, events: &[ChainedEvent]) {
    for one in events {
        assert_eq!((one.prev, one.hash), (link, link.then(&one.event)), "no gap");
        link = one.hash;
    }
}

fn acknowledge(last: &ChainedEvent) -> Command {
    Command::AckOutbox { up_to: last.event.id, hash: last.hash }
}

fn revoke_one(session: SessionId, jti: &str, now: Millis) -> Command {
    Command::RevokeToken(Revoke {
        session,
        credential: access(jti, now),
        client_id: CLIENT.to_owned(),
        cascade: false,
        reason: None,
    })
}

fn check(session: SessionId, jti: &str, now: Millis) -> Command {
    let credential = access(jti, now);
    Command::Check(ledger::Check {
        session,
        credential,
        usage: ledger::Usage::Direct,
        key: None,
        proof: None,
    })
}
