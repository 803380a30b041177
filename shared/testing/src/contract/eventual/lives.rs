//! What has not ended goes on, and nothing of it is lost.

use std::time::Duration;

use futures::future::join_all;
use ledger::{
    AuditLevel, Command, CreateSession, Inactive, Issue, Outcome, Policy, Refresh, Refusal,
    SessionId,
};
use ports::Clock;

use super::{CLIENT, Case, EventualStore, issue, refresh};

pub(super) async fn parallel_refreshes_converge<S: EventualStore>(case: &Case<'_, S>) {
    let session = case.known().await;
    case.store.part();
    for counter in 0..3 {
        let hosts = case.both().into_iter().cycle().take(20);
        let answers = hosts.map(|host| case.at(host, refresh(session, counter)));
        for issue in join_all(answers).await.into_iter().map(issue) {
            let successor = (session, 0, counter + 1, 1);
            assert_eq!((issue.session, issue.generation, issue.counter, issue.key_id), successor);
        }
    }
    case.store.settle().await;
    for host in case.both() {
        assert_eq!(issue(case.at(host, refresh(session, 3)).await).counter, 4);
    }
}

pub(super) async fn no_session_is_lost<S: EventualStore>(case: &Case<'_, S>) {
    case.store.part();
    let hosts = case.both().into_iter().cycle().take(8);
    let sessions = join_all(hosts.map(|host| async move {
        let session = case.create(host).await;
        for counter in 0..2 {
            assert_eq!(issue(case.at(host, refresh(session, counter)).await).counter, counter + 1);
        }
        session
    }));
    let sessions = sessions.await;
    case.store.settle().await;
    for host in case.both() {
        assert_eq!(case.list(host).await.len(), sessions.len());
    }
    for (session, host) in sessions.into_iter().zip(case.both().into_iter().rev().cycle()) {
        assert_eq!(issue(case.at(host, refresh(session, 2)).await).counter, 3);
    }
}

pub(super) async fn a_stale_counter_is_never_reuse<S: EventualStore>(case: &Case<'_, S>) {
    let session = case.known().await;
    case.store.part();
    for counter in 0..3 {
        assert_eq!(issue(case.here(refresh(session, counter)).await).counter, counter + 1);
    }
    // The client moves, and is faster than what it did before.
    assert_eq!(issue(case.there(refresh(session, 3)).await).counter, 4);
    assert_eq!(issue(case.there(refresh(session, 3)).await).counter, 4, "a retry");
    assert_eq!(issue(case.here(refresh(session, 4)).await).counter, 5, "and back");
    case.store.settle().await;
    for host in case.both() {
        assert_eq!(issue(case.at(host, refresh(session, 5)).await).counter, 6);
        assert!(matches!(case.check(host, session, "x").await, Outcome::Active(_)));
    }
}

pub(super) async fn a_session_that_cannot_be_seen_yet_is_not_denied<S: EventualStore>(
    case: &Case<'_, S>,
) {
    case.store.part();
    let session = case.create(case.store.here()).await;
    for _ in 0..2 {
        let early = case.attempt(case.store.there(), refresh(session, 0)).await;
        assert!(matches!(early, Err(_) | Ok(Outcome::Issued(_))), "not {early:?}");
    }
    case.store.settle().await;
    assert_eq!(issue(case.there(refresh(session, 0)).await).counter, 1);
    // A token of a session that is long forgotten gets its answer, if not at once.
    let nobody = SessionId::from_bytes([9; 16]);
    let _ = case.attempt(case.store.here(), refresh(nobody, 0)).await;
    case.store.wait(Duration::from_secs(300)).await;
    let unknown = Outcome::Refused(Refusal::UnknownSession);
    assert_eq!(case.here(refresh(nobody, 0)).await, unknown);
}

pub(super) async fn one_proof_makes_one_session<S: EventualStore>(case: &Case<'_, S>) {
    case.store.part();
    let sign_in = case.sign_in(Some("sign-in"));
    let hosts = case.both().into_iter().cycle().take(10);
    let racers = join_all(hosts.map(|host| case.at(host, sign_in.clone()))).await;
    let sessions: Vec<_> = racers.into_iter().map(|outcome| issue(outcome).session).collect();
    assert!(sessions.iter().all(|session| *session == sessions[0]), "{sessions:?}");
    assert_eq!(issue(case.there(refresh(sessions[0], 0)).await).counter, 1);
    case.store.settle().await;
    let Command::CreateSession(create) = sign_in else { unreachable!("it is a sign-in") };
    for host in case.both() {
        assert_eq!(case.list(host).await, [sessions[0]]);
        let later = CreateSession { authenticated_at: host.now(), ..create.clone() };
        let again = issue(case.at(host, Command::CreateSession(later)).await);
        assert_eq!(again.session, sessions[0], "another proof of the same sign-in");
    }
    case.store.wait(Duration::from_secs(1)).await;
    let session = sessions[0];
    case.here(Command::RevokeSession { session, reason: None }).await;
    case.store.settle().await;
    for (host, later) in case.both().into_iter().flat_map(|host| [(host, 0), (host, 1)]) {
        let authenticated_at = create.authenticated_at + later;
        let proof = CreateSession { authenticated_at, ..create.clone() };
        let stale = case.at(host, Command::CreateSession(proof)).await;
        assert_eq!(stale, Outcome::Refused(Refusal::StaleProof), "from before the end");
    }
    case.store.wait(Duration::from_secs(1)).await;
    let fresh = CreateSession { authenticated_at: case.store.here().now(), ..create };
    let next = issue(case.here(Command::CreateSession(fresh)).await).session;
    assert_ne!(next, session, "a name is not used twice");
}

pub(super) async fn a_repeated_command_gives_the_answer_that_was_lost<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let created = issue(case.here(case.sign_in(Some("sign-in"))).await);
    let again = issue(case.here(case.sign_in(Some("sign-in"))).await);
    assert_eq!(again, Issue { repeated: true, ..created.clone() });
    let rotated = issue(case.here(refresh(created.session, 0)).await);
    let again = issue(case.here(refresh(created.session, 0)).await);
    assert_eq!(again, Issue { repeated: true, ..rotated });
}

pub(super) async fn an_extension_and_a_refresh_elsewhere_get_along<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let session = case.known().await;
    case.store.part();
    issue(case.here(refresh(session, 0)).await);
    let extend = ledger::Extend { session, client_id: CLIENT.to_owned(), key_id: 1 };
    let extended = issue(case.there(Command::Extend(extend)).await);
    assert_eq!((extended.generation, extended.counter), (1, 0));
    issue(case.here(refresh(session, 1)).await);
    case.store.settle().await;
    let Command::Refresh(newest) = refresh(session, 0) else { unreachable!("it is a refresh") };
    let newest = Command::Refresh(Refresh { generation: 1, ..newest });
    for host in case.both() {
        let issue = issue(case.at(host, newest.clone()).await);
        assert_eq!((issue.generation, issue.counter), (1, 1));
    }
}

pub(super) async fn use_elsewhere_keeps_a_session_alive<S: EventualStore>(case: &Case<'_, S>) {
    let policy = Policy { idle: 600_000, ..case.policy.clone() };
    let case = &Case { policy, ..*case };
    let session = case.known().await;
    for host in case.both().into_iter().cycle().take(6) {
        case.store.wait(Duration::from_secs(400)).await;
        assert!(matches!(case.check(host, session, "x").await, Outcome::Active(_)));
        case.store.settle().await;
    }
    assert_eq!(issue(case.there(refresh(session, 0)).await).counter, 1);
}

pub(super) async fn no_event_is_lost<S: EventualStore>(case: &Case<'_, S>) {
    let policy = Policy { audit: AuditLevel::All, ..case.policy.clone() };
    let case = &Case { policy, ..*case };
    let session = case.known().await;
    case.store.part();
    issue(case.here(refresh(session, 0)).await);
    issue(case.there(refresh(session, 0)).await);
    let seen = case.pending(case.store.here()).await;
    let ids: Vec<u64> = seen.iter().map(|one| one.event.id).collect();
    assert!(ids.is_sorted() && !ids.is_empty());
    issue(case.there(refresh(session, 1)).await);
    let known: Vec<_> = case.pending(case.store.there()).await;
    let delivered = seen.iter().map(|one| (one.event.id, one.hash)).collect();
    case.here(Command::AckEvents { events: delivered }).await;
    case.store.settle().await;
    for host in case.both() {
        let left = case.pending(host).await;
        assert!(left.iter().all(|one| !ids.contains(&one.event.id)), "delivered ones are gone");
        let undelivered = known.iter().filter(|one| !ids.contains(&one.event.id));
        for event in undelivered {
            assert!(left.contains(event), "an event that was not delivered was lost");
        }
    }
    let left = case.pending(case.store.there()).await;
    let events = left.iter().map(|one| (one.event.id, one.hash)).collect();
    case.there(Command::AckEvents { events }).await;
    case.store.settle().await;
    assert_eq!(case.pending(case.store.here()).await, []);
}

pub(super) async fn addresses_are_apart<S: EventualStore>(one: &Case<'_, S>, other: &Case<'_, S>) {
    let session = one.known().await;
    assert_eq!(other.list(other.store.here()).await, []);
    let seen = other.check(other.store.here(), session, "x").await;
    assert_eq!(seen, Outcome::Inactive(Inactive::Unknown));
    assert_eq!(other.pending(other.store.here()).await, []);
}

pub(super) async fn a_timeout_by_a_stale_read_is_not_believed<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let policy = Policy { idle: 60_000, ..case.policy.clone() };
    let case = &Case { policy, ..*case };
    let session = case.create(case.store.here()).await;
    case.store.part();
    for _ in 0..2 {
        case.store.wait(Duration::from_secs(55)).await;
        assert!(matches!(case.check(case.store.here(), session, "x").await, Outcome::Active(_)));
    }
    case.store.wait(Duration::from_secs(20)).await;
    // Whatever is said there, which has not seen it used: nothing comes of it.
    let _ = case.check(case.store.there(), session, "x").await;
    let _ = case.there(Command::List).await;
    let _ = case.there(Command::Sweep).await;
    case.store.settle().await;
    for host in case.both() {
        assert!(matches!(case.check(host, session, "x").await, Outcome::Active(_)));
    }
}
