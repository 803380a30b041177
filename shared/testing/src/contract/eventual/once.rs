//! What may be used once, where nobody can promise that it is.

use std::time::Duration;

use ledger::{Command, CreateSession, EndReason, Once, OnceId, Outcome, Refusal};
use ports::Clock;

use super::{Case, EventualStore, issue, refresh};

const REPLAYED: Outcome = Outcome::Refused(Refusal::Replayed);

pub(super) async fn what_was_used_up_is_so_here_at_once_and_elsewhere_in_the_end<
    S: EventualStore,
>(
    case: &Case<'_, S>,
) {
    let consume = |number| Command::Consume { once: vec![case.once(number)] };
    assert_eq!(case.here(consume(1)).await, Outcome::Consumed);
    assert_eq!(case.here(consume(1)).await, REPLAYED);
    let was_used = |number| Command::WasUsed { names: vec![case.once(number).id] };
    assert_eq!(case.here(was_used(1)).await, Outcome::Used(true));
    case.store.settle().await;
    assert_eq!(case.there(was_used(1)).await, Outcome::Used(true));
    assert_eq!(case.there(was_used(2)).await, Outcome::Used(false));
    assert_eq!(case.there(consume(1)).await, REPLAYED);
    assert_eq!(case.there(consume(2)).await, Outcome::Consumed);
}

pub(super) async fn a_code_starts_one_session_and_a_replay_that_is_seen_ends_it<
    S: EventualStore,
>(
    case: &Case<'_, S>,
) {
    case.store.part();
    let one = issue(case.here(case.redeem(1)).await);
    for _ in 0..2 {
        // At the same time it may be told that there are two of them.
        let there = case.attempt(case.store.there(), case.redeem(1)).await;
        if let Ok(Outcome::Issued(other)) = there {
            let same = (other.session, other.counter) == (one.session, one.counter);
            assert!(same, "nobody gets a session of his own");
        }
        case.store.wait(Duration::from_secs(2)).await;
    }
    case.store.settle().await;
    for host in case.both() {
        assert_eq!(case.at(host, case.redeem(1)).await, REPLAYED);
    }
    case.store.settle().await;
    case.is_over(one.session, 0, EndReason::CodeReplayed).await;
    // Long after its use was forgotten.
    case.store.wait(Duration::from_secs(900)).await;
    let two = issue(case.here(case.redeem(2)).await).session;
    case.store.wait(Duration::from_secs(900)).await;
    case.store.settle().await;
    assert_eq!(case.there(case.redeem(2)).await, REPLAYED);
    case.store.settle().await;
    case.is_over(two, 0, EndReason::CodeReplayed).await;
}

pub(super) async fn a_code_outlives_no_end_of_all_and_no_sign_out<S: EventualStore>(
    case: &Case<'_, S>,
) {
    let code = case.redeem(1);
    case.store.part();
    case.here(Command::RevokeAll { except: None, reason: None }).await;
    let stale = Outcome::Refused(Refusal::StaleProof);
    assert_eq!(case.here(code.clone()).await, stale);
    case.store.settle().await;
    assert_eq!(case.there(code).await, stale);
    case.store.wait(Duration::from_secs(1)).await;
    let session = issue(case.here(case.redeem(2)).await).session;
    assert_eq!(issue(case.here(refresh(session, 0)).await).counter, 1);
    let external_id = "sign-in".to_owned();
    case.here(Command::RevokeExternal { external_id, reason: None }).await;
    case.store.wait(Duration::from_secs(1)).await;
    case.store.settle().await;
    for host in case.both() {
        assert_eq!(case.at(host, case.redeem(3)).await, stale, "of a sign-in that is over");
    }
}

impl<S: EventualStore> Case<'_, S> {
    fn once(&self, number: u8) -> Once {
        let until = self.store.here().now() + 600_000;
        Once::new(OnceId::from_bytes([number; 16]), until)
    }

    fn redeem(&self, number: u8) -> Command {
        let Command::CreateSession(create) = self.sign_in(Some("sign-in")) else {
            unreachable!("it creates one");
        };
        Command::CreateSession(CreateSession { code: Some(self.once(number)), ..create })
    }
}
