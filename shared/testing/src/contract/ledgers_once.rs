//! The part of the ledgers' suite about what may be used once.

use futures::future::join_all;
use ledger::{
    Check, Command, CreateSession, Credential, EndReason, Inactive, Once, OnceId, Outcome, Refresh,
    Refusal, SessionId, Usage,
};
use ports::{Clock, Ledgers};

use super::ledgers::{Case, issue, refresh};

const REPLAYED: Outcome = Outcome::Refused(Refusal::Replayed);
/// So many at once.
const CROWD: usize = 50;

pub(super) async fn of_many_uses_at_once_one_succeeds<L: Ledgers + Clock>(case: &Case<'_, L>) {
    let all = (0..CROWD).map(|_| case.insist(consume(vec![case.once(1), case.once(2)])));
    let outcomes = join_all(all).await;
    let consumed = outcomes.iter().filter(|one| **one == Outcome::Consumed).count();
    assert_eq!(consumed, 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|one| **one == REPLAYED).count(), CROWD - 1);
    let again = case.run(consume(vec![case.once(3), case.once(2)])).await;
    assert_eq!(again, REPLAYED, "one of it is as good as all");
    let was_used = |numbers: &[u8]| Command::WasUsed {
        names: numbers.iter().map(|number| case.once(*number).id).collect(),
    };
    for (numbers, used) in [(&[1][..], true), (&[3, 2], true), (&[3], false), (&[], false)] {
        assert_eq!(case.run(was_used(numbers)).await, Outcome::Used(used), "{numbers:?}");
    }
    assert_eq!(case.run(consume(vec![case.once(3)])).await, Outcome::Consumed, "it was not used");
}

pub(super) async fn of_many_redemptions_at_once_one_succeeds_and_the_others_end_it<
    L: Ledgers + Clock,
>(
    case: &Case<'_, L>,
) {
    let outcomes = join_all((0..CROWD).map(|_| case.insist(case.redeem(1)))).await;
    let issued: Vec<_> =
        outcomes.into_iter().filter(|outcome| matches!(outcome, Outcome::Issued(_))).collect();
    assert_eq!(issued.len(), 1, "{issued:?}");
    let session = issued.into_iter().map(issue).map(|issue| issue.session).next();
    let session = session.expect("one of them");
    let ended = Inactive::Ended(EndReason::CodeReplayed);
    assert_eq!(case.check(session, "x").await, Outcome::Inactive(ended));
    assert_eq!(case.list().await, []);
}

pub(super) async fn codes_of_one_sign_in_start_sessions_of_their_own<L: Ledgers + Clock>(
    case: &Case<'_, L>,
) {
    let one = issue(case.run(case.redeem(1)).await).session;
    let other = issue(case.run(case.redeem(2)).await).session;
    let exchanged = issue(case.run(case.sign_in(Some("sign-in"))).await).session;
    assert!(one != other && exchanged != one && exchanged != other);
    assert_eq!(case.run(case.redeem(1)).await, REPLAYED);
    let mut left: Vec<_> = case.list().await.into_iter().map(|view| view.id).collect();
    left.sort_unstable();
    let mut expected = [other, exchanged];
    expected.sort_unstable();
    assert_eq!(left, expected, "and end by themselves");
}

pub(super) async fn a_bound_session_is_of_use_with_its_key_and_each_proof_once<
    L: Ledgers + Clock,
>(
    case: &Case<'_, L>,
) {
    let Command::CreateSession(create) = case.redeem(1) else { unreachable!("it creates one") };
    let bound = CreateSession { key: key("held"), proof: Some(case.once(9)), ..create };
    let session = issue(case.run(Command::CreateSession(bound)).await).session;
    for wrong in [None, key("other")] {
        let refused = case.run(proved(session, 0, wrong, case.once(2))).await;
        assert_eq!(refused, Outcome::Refused(Refusal::WrongKey));
    }
    let rotated = case.run(proved(session, 0, key("held"), case.once(2))).await;
    assert_eq!(issue(rotated).counter, 1);
    for used in [2, 9] {
        let replayed = case.run(proved(session, 1, key("held"), case.once(used))).await;
        assert_eq!(replayed, REPLAYED);
    }
    let check = |number| {
        let credential = Credential::Access { jti: "x".to_owned(), expires_at: u64::MAX };
        let (key, proof) = (key("held"), Some(case.once(number)));
        Command::Check(Check { session, credential, usage: Usage::Direct, key, proof })
    };
    let Outcome::Active(standing) = case.run(check(3)).await else {
        unreachable!("the session is active");
    };
    assert_eq!(standing.key, key("held"));
    assert_eq!(case.run(check(3)).await, REPLAYED);
    let rotated = case.run(proved(session, 1, key("held"), case.once(4))).await;
    assert_eq!(issue(rotated).counter, 2, "and nothing of it has cost the session anything");
}

pub(super) async fn a_command_that_is_sent_again_is_no_second_use<L: Ledgers + Clock>(
    case: &Case<'_, L>,
) {
    let send = async |command: &Command, sending: u32| {
        case.send(command.clone(), Some(sending)).await.expect("an outcome")
    };
    let redeem = case.redeem(1);
    let first = issue(send(&redeem, 1).await);
    let again = issue(send(&redeem, 1).await);
    assert_eq!((again.session, again.counter, again.repeated), (first.session, 0, true));
    assert_eq!(send(&consume(vec![case.once(2)]), 2).await, Outcome::Consumed);
    assert_eq!(send(&consume(vec![case.once(2)]), 2).await, Outcome::Consumed);
    assert_eq!(send(&consume(vec![case.once(2)]), 3).await, REPLAYED);
    assert_eq!(send(&redeem, 3).await, REPLAYED, "somebody else");
    let ended = Inactive::Ended(EndReason::CodeReplayed);
    assert_eq!(case.check(first.session, "x").await, Outcome::Inactive(ended));
}

impl<L: Ledgers + Clock> Case<'_, L> {
    fn once(&self, number: u8) -> Once {
        Once::new(OnceId::from_bytes([number; 16]), self.host.now() + 600_000)
    }

    /// By the code with this number, of the one sign-in.
    fn redeem(&self, number: u8) -> Command {
        let Command::CreateSession(create) = self.sign_in(Some("sign-in")) else {
            unreachable!("it creates one");
        };
        Command::CreateSession(CreateSession { code: Some(self.once(number)), ..create })
    }
}

fn consume(once: Vec<Once>) -> Command {
    Command::Consume { once }
}

fn key(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn proved(session: SessionId, counter: u32, key: Option<String>, proof: Once) -> Command {
    let Command::Refresh(command) = refresh(session, counter) else {
        unreachable!("it refreshes");
    };
    Command::Refresh(Refresh { key, proof: Some(proof), ..command })
}
