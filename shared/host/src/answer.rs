//! Answers of a ledger's owner, as the functions read them.

use ledger::{
    Answer, Budget, Inactive, Issue, Millis, Outcome, Refusal, SessionView, Standing,
    UpstreamOutcome,
};
use serde::{Deserialize, Deserializer};

/// Read an answer to a command of a function. Of those to commands that only the owner itself sends it
/// knows nothing: they carry the audit trail, and what reads it would be a tenth of every function.
///
/// # Errors
/// If it is no such answer.
pub(crate) fn read(text: &[u8]) -> Result<Answer, serde_json::Error> {
    #[derive(Deserialize)]
    struct Read {
        #[serde(with = "Told")]
        outcome: Outcome,
        #[serde(default)]
        budget: Option<Budget>,
    }
    let Read { outcome, budget } = serde_json::from_slice(text)?;
    Ok(Answer { outcome, budget })
}

/// What a command comes to that was sent again because no answer came. A copy says that it is one, but not
/// every store can tell by whom something was used: that it was may be the doing of the first attempt, and
/// is no verdict on who brought it. Then it is as unknown as ever what the command came to.
///
/// # Errors
/// `lost` of the first attempt, or that of the second.
pub(crate) fn of_second<E>(lost: E, second: Result<Answer, E>) -> Result<Answer, E> {
    match second {
        Ok(Answer { outcome: Outcome::Refused(Refusal::Replayed), .. }) => Err(lost),
        second => second,
    }
}

/// The outcomes that functions are told.
#[derive(Deserialize)]
#[serde(remote = "Outcome", rename_all = "snake_case")]
enum Told {
    Issued(Issue),
    NotDue {
        due_at: Millis,
    },
    Active(Standing),
    Inactive(Inactive),
    Upstream(UpstreamOutcome),
    Revoked {
        sessions: u32,
    },
    #[serde(deserialize_with = "each")]
    Each(Vec<Outcome>),
    Limited(Budget),
    Sessions(Vec<SessionView>),
    Refused(Refusal),
    Consumed,
    Used(bool),
}

fn each<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<Outcome>, D::Error> {
    #[derive(Deserialize)]
    struct One(#[serde(with = "Told")] Outcome);
    let all = Vec::<One>::deserialize(deserializer)?;
    Ok(all.into_iter().map(|One(outcome)| outcome).collect())
}

#[cfg(test)]
mod tests {
    use ledger::{Class, UpstreamOutcome};

    use super::*;

    #[test]
    fn what_the_first_attempt_may_have_used_up_is_no_verdict() {
        let answer = |refusal| Answer { outcome: Outcome::Refused(refusal), budget: None };
        assert_eq!(of_second("lost", Ok(answer(Refusal::Replayed))), Err("lost"));
        let other = answer(Refusal::WrongKey);
        assert_eq!(of_second("lost", Ok(other.clone())), Ok(other));
        assert_eq!(of_second("lost", Err("again")), Err("again"));
    }

    fn told(outcome: Outcome, budget: Option<Budget>) -> bool {
        let answer = Answer { outcome, budget };
        let text = serde_json::to_vec(&answer).expect("JSON");
        read(&text).is_ok_and(|read| read == answer)
    }

    #[test]
    fn what_functions_are_told_is_read_as_it_was_written() {
        let budget = Budget { class: Class::Refresh, limit: 10, remaining: 3, reset_at: 5 };
        let refused = Outcome::Refused(Refusal::Exhausted);
        for outcome in [
            refused.clone(),
            Outcome::NotDue { due_at: 7 },
            Outcome::Consumed,
            Outcome::Used(true),
            Outcome::Revoked { sessions: 2 },
            Outcome::Limited(budget),
            Outcome::Sessions(Vec::new()),
            Outcome::Upstream(UpstreamOutcome::NotDue { due_at: Some(9) }),
            Outcome::Each(vec![refused, Outcome::Revoked { sessions: 1 }]),
        ] {
            assert!(told(outcome.clone(), None), "{outcome:?}");
            assert!(told(outcome.clone(), Some(budget)), "{outcome:?}");
        }
    }

    #[test]
    fn what_only_the_owner_asks_for_is_no_answer() {
        for outcome in [Outcome::Settled, Outcome::Swept] {
            assert!(!told(outcome, None));
        }
        assert!(read(b"{}").is_err() && read(b"").is_err());
    }
}
