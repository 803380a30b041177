//! What has ended is over everywhere in the end.

use std::time::Duration;

use ledger::{
    AuditKind, Command, Credential, EndReason, Inactive, Outcome, Policy, Refusal, Which,
};
use ports::Clock;

use super::{Case, EventualStore, access, issue, refresh, revoke};

pub(super) async fn a_revocation_wins_whatever_is_refreshed_meanwhile<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let session = case.known().await;
    case.store.part();
    let revoke = Command::RevokeSession { session, reason: Some("lost".to_owned()) };
    assert_eq!(case.here(revoke.clone()).await, Outcome::Revoked { sessions: 1 });
    let mut counter = 0;
    for _ in 0..3 {
        match case.there(refresh(session, counter)).await {
            Outcome::Issued(issue) => counter = issue.counter,
            other => {
                let ended = Refusal::SessionEnded(EndReason::Revoked);
                assert_eq!(other, Outcome::Refused(ended));
            }
        }
    }
    let here = case.here(refresh(session, counter)).await;
    let ended = Outcome::Refused(Refusal::SessionEnded(EndReason::Revoked));
    assert_eq!(here, ended, "a revocation is seen at once where it was made");
    assert_eq!(case.here(revoke).await, Outcome::Revoked { sessions: 0 }, "and can be repeated");
    case.store.settle().await;
    case.is_over(session, counter, EndReason::Revoked).await;
    case.store.wait(Duration::from_secs(600)).await;
    case.is_over(session, counter, EndReason::Revoked).await;
}

pub(super) async fn the_end_of_all_reaches_sessions_that_cannot_be_seen<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let kept = case.known().await;
    case.store.part();
    let unseen = case.create(case.store.there()).await;
    assert_eq!(issue(case.there(refresh(unseen, 0)).await).counter, 1);
    let all = Command::RevokeAll { except: Some(kept), reason: None };
    assert!(matches!(case.here(all).await, Outcome::Revoked { .. }));
    // Whoever signs in afterwards is not meant.
    case.store.wait(Duration::from_millis(5)).await;
    let later = case.create(case.store.here()).await;
    case.store.settle().await;
    case.is_over(unseen, 1, EndReason::RevokedAll).await;
    for host in case.both() {
        let mut listed = case.list(host).await;
        listed.sort_unstable();
        let mut expected = [kept, later];
        expected.sort_unstable();
        assert_eq!(listed, expected);
    }
}

pub(super) async fn one_access_token_is_revoked<S: EventualStore>(case: &Case<'_, S>) {
    let session = case.known().await;
    case.store.part();
    for (host, jti) in case.both().into_iter().zip(["one", "two"]) {
        let outcome = case.at(host, revoke(session, access(jti, host.now()))).await;
        assert_eq!(outcome, Outcome::Revoked { sessions: 0 });
        assert_eq!(case.check(host, session, jti).await, Outcome::Inactive(Inactive::TokenRevoked));
    }
    case.store.settle().await;
    for host in case.both() {
        for jti in ["one", "two"] {
            let outcome = case.check(host, session, jti).await;
            assert_eq!(outcome, Outcome::Inactive(Inactive::TokenRevoked), "{jti}");
        }
        assert!(matches!(case.check(host, session, "other").await, Outcome::Active(_)));
    }
    let signed_in = issue(case.here(case.sign_in(Some("sign-in"))).await);
    case.here(revoke(signed_in.session, access("three", case.store.here().now()))).await;
    case.store.settle().await;
    let again = issue(case.there(case.sign_in(Some("sign-in"))).await);
    assert_eq!((again.session, again.counter), (signed_in.session, 1), "not the revoked one again");
}

pub(super) async fn reuse_is_detected_in_the_end<S: EventualStore>(case: &Case<'_, S>) {
    let session = case.known().await;
    for counter in 0..2 {
        issue(case.here(refresh(session, counter)).await);
    }
    case.store.settle().await;
    case.store.part();
    assert_eq!(case.there(refresh(session, 0)).await, Outcome::Refused(Refusal::Reuse));
    let _ = case.here(refresh(session, 2)).await;
    case.store.settle().await;
    case.is_over(session, 3, EndReason::Reuse).await;
}

pub(super) async fn a_revocation_that_cannot_see_its_session_is_not_said_to_be_done<
    S: EventualStore,
>(
    case: &Case<'_, S>,
) {
    case.store.part();
    let session = case.create(case.store.here()).await;
    let credential = Credential::Refresh { generation: 0, counter: 0 };
    let command = revoke(session, credential);
    let early = case.attempt(case.store.there(), command.clone()).await;
    assert!(!matches!(early, Ok(Outcome::Revoked { sessions: 0 })), "nothing was revoked");
    case.store.settle().await;
    if early.is_err() {
        assert_eq!(case.there(command).await, Outcome::Revoked { sessions: 1 });
        case.store.settle().await;
    }
    case.is_over(session, 0, EndReason::Revoked).await;
}

pub(super) async fn an_unused_session_ends<S: EventualStore>(case: &Case<'_, S>) {
    let policy = Policy { idle: 1000, ..case.policy.clone() };
    let case = &Case { policy, ..*case };
    let session = case.create(case.store.here()).await;
    assert!(matches!(case.check(case.store.here(), session, "x").await, Outcome::Active(_)));
    // Its last use may be seen late, so it lives a minute longer; and only later is it written down.
    for wait in [62, 200] {
        case.store.wait(Duration::from_secs(wait)).await;
        case.is_over(session, 0, EndReason::IdleTimeout).await;
    }
    let told = case.pending(case.store.here()).await;
    let timeouts = told.iter().filter(|one| one.event.kind == AuditKind::SessionIdle);
    assert_eq!(timeouts.count(), 1, "once, however often it is noticed");
}

pub(super) async fn a_sweep_forgets_what_is_over<S: EventualStore>(case: &Case<'_, S>) {
    let policy = Policy { revocation_memory: 1000, ..case.policy.clone() };
    let case = &Case { policy, ..*case };
    let (ended, kept) = (case.known().await, case.known().await);
    case.here(Command::RevokeSession { session: ended, reason: None }).await;
    case.store.wait(Duration::from_millis(1500)).await;
    assert_eq!(case.here(Command::Sweep).await, Outcome::Swept);
    case.store.settle().await;
    for host in case.both() {
        let unknown = Outcome::Inactive(Inactive::Unknown);
        assert_eq!(case.check(host, ended, "x").await, unknown);
        let refused = Outcome::Refused(Refusal::UnknownSession);
        assert_eq!(case.at(host, refresh(ended, 0)).await, refused);
        assert!(matches!(case.check(host, kept, "x").await, Outcome::Active(_)), "it lives");
    }
}

pub(super) async fn what_a_person_disconnects_ends_where_it_cannot_be_seen<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let kept = issue(case.here(case.sign_in(Some("here"))).await).session;
    case.store.settle().await;
    case.store.part();
    let unseen = issue(case.there(case.sign_in(Some("there"))).await).session;
    case.store.wait(Duration::from_secs(1)).await;
    let others = Which::NotFrom("here".to_owned());
    let command = Command::RevokeSome { which: others, reason: None };
    assert!(matches!(case.here(command).await, Outcome::Revoked { .. }));
    case.store.settle().await;
    case.is_over(unseen, 0, EndReason::RevokedAll).await;
    for host in case.both() {
        assert_eq!(case.list(host).await, [kept]);
    }
}

pub(super) async fn a_sign_out_at_the_provider_reaches_sessions_that_cannot_be_seen<
    S: EventualStore,
>(
    case: &Case<'_, S>,
) {
    let other = issue(case.here(case.sign_in(Some("other"))).await).session;
    case.store.settle().await;
    case.store.part();
    let sign_in = case.sign_in(Some("sign-in"));
    let unseen = issue(case.there(sign_in.clone()).await).session;
    case.store.wait(Duration::from_secs(1)).await;
    let signed_out = Command::RevokeExternal { external_id: "sign-in".to_owned(), reason: None };
    assert!(matches!(case.here(signed_out).await, Outcome::Revoked { .. }));
    let stale = case.here(sign_in.clone()).await;
    assert_eq!(stale, Outcome::Refused(Refusal::StaleProof), "at once where it was told");
    case.store.settle().await;
    case.is_over(unseen, 0, EndReason::SignedOut).await;
    for host in case.both() {
        assert_eq!(case.list(host).await, [other]);
        assert_eq!(case.at(host, sign_in.clone()).await, Outcome::Refused(Refusal::StaleProof));
    }
}
