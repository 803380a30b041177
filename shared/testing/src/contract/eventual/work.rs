//! What the service does for a session besides: its grant at the identity provider, and webhooks.

use std::time::Duration;

use ledger::{
    Command, LeaseId, Outcome, Policy, Renewed, SessionId, Settle, Settled, UpstreamAnswer,
    UpstreamGrant, UpstreamOutcome, UpstreamStore,
};
use ports::Clock;

use super::{Case, EventualStore, issue, refresh};

pub(super) async fn a_grant_is_renewed_and_refusing_it_ends_no_session<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let session = case.known().await;
    let first = grant(case, "first");
    let command = Command::UpstreamGrant(UpstreamGrant { session, grant: first });
    assert_eq!(case.here(command).await, Outcome::Upstream(UpstreamOutcome::Stored));
    assert_eq!(issue(case.here(refresh(session, 0)).await).counter, 1);
    case.store.wait(Duration::from_secs(600)).await;
    case.store.settle().await;
    let leased = case.there(claim(session, 1)).await;
    let Outcome::Upstream(UpstreamOutcome::Leased { sealed, .. }) = leased else {
        unreachable!("no lease: {leased:?}")
    };
    assert_eq!(sealed, "first");
    let renewed = UpstreamAnswer::Renewed(grant(case, "second"));
    let stored = case.there(store(session, 1, renewed)).await;
    assert_eq!(stored, Outcome::Upstream(UpstreamOutcome::Stored));
    case.store.wait(Duration::from_secs(600)).await;
    case.store.settle().await;
    let leased = case.here(claim(session, 2)).await;
    assert!(
        matches!(&leased, Outcome::Upstream(UpstreamOutcome::Leased { sealed, .. }) if sealed == "second"),
        "{leased:?}"
    );
    // Whoever else had a lease may have used it before.
    let refused = case.here(store(session, 2, UpstreamAnswer::Ended)).await;
    assert_eq!(refused, Outcome::Upstream(UpstreamOutcome::SignInRequired));
    case.store.settle().await;
    assert_eq!(issue(case.there(refresh(session, 1)).await).counter, 2);
}

pub(super) async fn an_announcement_is_claimed_until_it_is_settled<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let case = &Case { policy: Policy { webhooks: true, ..case.policy.clone() }, ..*case };
    let (one, other) = (case.known().await, case.known().await);
    case.store.part();
    case.here(Command::RevokeSession { session: one, reason: None }).await;
    case.there(Command::RevokeSession { session: other, reason: None }).await;
    case.store.settle().await;
    let claim = Command::ClaimWebhooks { limit: 100 };
    let Outcome::Webhooks(claimed) = case.there(claim.clone()).await else {
        unreachable!("a claim")
    };
    let ended: Vec<_> =
        claimed.webhooks.iter().filter_map(|webhook| webhook.event.session).collect();
    assert!(ended.contains(&one) && ended.contains(&other), "{ended:?}");
    assert_eq!(claimed.owner.as_deref(), Some("user"));
    let Outcome::Webhooks(none) = case.there(claim.clone()).await else { unreachable!("a claim") };
    assert_eq!(none.webhooks, [], "they are claimed");
    for webhook in &claimed.webhooks {
        let again = webhook.event.session == Some(other);
        let at = case.store.there().now();
        let retry = Settled::Retry { at, settled: vec!["a".to_owned()] };
        let then = if again { retry } else { Settled::Done };
        let settle = Settle { id: webhook.id, lease: webhook.next_at, then };
        assert_eq!(case.there(Command::SettleWebhook(settle)).await, Outcome::Settled);
    }
    case.store.settle().await;
    let Outcome::Webhooks(left) = case.here(claim).await else { unreachable!("a claim") };
    assert!(left.webhooks.iter().all(|webhook| webhook.event.session == Some(other)));
    assert!(left.webhooks.iter().all(|webhook| webhook.settled == ["a"] && webhook.attempts == 2));
    assert!(!left.webhooks.is_empty());
}

fn grant<S: EventualStore>(case: &Case<'_, S>, sealed: &str) -> Renewed {
    let now = case.store.here().now();
    Renewed {
        sealed: sealed.to_owned(),
        issued_at: now,
        expires_at: now + 600_000,
        external_id: "sign-in".to_owned(),
        organization: None,
        role: None,
        subject: None,
    }
}

fn claim(session: SessionId, lease: u8) -> Command {
    Command::UpstreamClaim { session, lease: LeaseId::from_bytes([lease; 16]) }
}

fn store(session: SessionId, lease: u8, answer: UpstreamAnswer) -> Command {
    let lease = LeaseId::from_bytes([lease; 16]);
    Command::UpstreamStore(UpstreamStore { session, lease, answer })
}
