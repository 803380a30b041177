//! The grant at the identity provider that a session may hold: its refresh token, sealed, and who
//! renews it when. The provider rotates its refresh tokens, so one caller at a time may use one: it
//! claims a lease, asks the provider, and stores the answer.
//!
//! An outage of the provider never ends a session. That the provider calls the grant ended does,
//! unless an answer of it may have been lost: then its newest refresh token is lost with it, the one
//! that is left proves nothing, and the person has to sign in again for the grant alone.

use serde::{Deserialize, Serialize};

use crate::device::bounded;
use crate::id::LeaseId;
use crate::step::Step;
use crate::{
    AuditKind, EndReason, Ledger, Millis, Outcome, Policy, Refusal, Session, SessionId, Subject,
};

/// A lease whose answer was not stored within this time is over. An attempt takes a tenth of it.
const LEASE: Millis = 30_000;

/// A grant that was just renewed is left alone, however short its access tokens live: of many
/// refreshes at once one renews it.
const SPACING: Millis = 10_000;

/// How long to wait after the first failure; after each further one twice as long.
const BACKOFF: Millis = 2_000;

/// And no longer than this, whatever the provider asks for.
const BACKOFF_MAX: Millis = 5 * 60_000;

/// Characters of a reason that the audit trail is told.
const MAX_REASON: usize = 100;

/// The grant as it is kept with its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The provider's refresh token, sealed: opaque here.
    pub sealed: String,
    /// When the provider issued the access token that came with it.
    pub issued_at: Millis,
    /// When that access token expires.
    pub expires_at: Millis,
    /// When the grant was made or last renewed.
    pub renewed_at: Millis,
    /// The organization as the provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The role in it as the provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Who the tokens speak of from the next rotation on. All that were handed out at one counter
    /// are alike, so a change waits for the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_subject: Option<Subject>,
    /// Who renews it at the moment, or has not come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Failures since it was last renewed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Not to be renewed before, after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Millis>,
    /// Whether the provider may have given an answer that was lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
    /// Whether it is of use.
    #[serde(default, skip_serializing_if = "UpstreamState::is_good")]
    pub state: UpstreamState,
}

/// Whether a grant is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamState {
    /// It is.
    #[default]
    Good,
    /// It is lost: the person signs in again, for the grant alone.
    NeedsSignIn,
}

impl UpstreamState {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    const fn is_good(&self) -> bool {
        matches!(self, Self::Good)
    }
}

/// Who may use a grant's refresh token at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its random name, drawn by whoever claimed it.
    pub id: LeaseId,
    /// Until when.
    pub until: Millis,
}

/// See [`Command::UpstreamGrant`](crate::Command::UpstreamGrant).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamGrant {
    /// The session that it belongs to.
    pub session: SessionId,
    /// What the provider gave.
    pub grant: Renewed,
}

/// See [`Command::UpstreamStore`](crate::Command::UpstreamStore).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamStore {
    /// The session.
    pub session: SessionId,
    /// The lease under which the provider was asked.
    pub lease: LeaseId,
    /// What it answered.
    pub answer: UpstreamAnswer,
}

/// What came of asking the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamAnswer {
    /// The grant goes on.
    Renewed(Renewed),
    /// It cannot be told; to be tried again later.
    Retryable {
        /// Why, for the audit trail; it holds no secret.
        reason: String,
        /// Not before this time, if the provider said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Millis>,
        /// Whether the provider may have rotated the refresh token all the same.
        unsure: bool,
    },
    /// The provider says that the grant has ended: `invalid_grant`.
    Ended,
}

/// What the provider gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Its refresh token, sealed.
    pub sealed: String,
    /// When its access token was issued.
    pub issued_at: Millis,
    /// When its access token expires.
    pub expires_at: Millis,
    /// The sign-in, as [`CreateSession::external_id`](crate::CreateSession::external_id) has it.
    pub external_id: String,
    /// The organization as the provider names it.
    pub organization: Option<String>,
    /// The role in it.
    pub role: Option<String>,
    /// Who the tokens are to speak of, if somebody found out.
    pub subject: Option<Subject>,
}

/// What a command about a grant came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamOutcome {
    /// Refresh: the grant is to be renewed first; nothing has changed.
    Due,
    /// UpstreamClaim: the caller, and nobody else, may use the refresh token until then.
    Leased {
        /// It.
        sealed: String,
        /// Until when.
        until: Millis,
        /// Whose it is.
        subject: Subject,
        /// The organization as the provider named it.
        organization: Option<String>,
        /// The role in it.
        role: Option<String>,
    },
    /// UpstreamClaim: not now; never, if there is no grant or it is lost.
    NotDue {
        /// From when on it is due.
        due_at: Option<Millis>,
    },
    /// UpstreamClaim: somebody else is about it.
    Held {
        /// Until when.
        until: Millis,
    },
    /// UpstreamGrant, UpstreamStore: done.
    Stored,
    /// UpstreamStore: the grant is lost, and the session goes on.
    SignInRequired,
    /// UpstreamStore: the session has ended with its grant.
    Ended,
    /// UpstreamGrant, UpstreamStore: what is held is newer, and stays.
    Superseded,
}

impl Upstream {
    /// From when on it is to be renewed; `None` if it is lost.
    pub(crate) fn due_at(&self, policy: &Policy) -> Option<Millis> {
        let near = self.expires_at.saturating_sub(policy.upstream_ahead);
        let apart = self.renewed_at.saturating_add(SPACING);
        let due = near.max(apart).max(self.retry_at.unwrap_or_default());
        self.state.is_good().then_some(due)
    }

    /// Whether it is to be renewed, and nobody is about it.
    pub(crate) fn is_due(&self, now: Millis, policy: &Policy) -> bool {
        self.held(now).is_none() && self.due_at(policy).is_some_and(|due_at| now >= due_at)
    }

    fn held(&self, now: Millis) -> Option<Lease> {
        self.lease.filter(|lease| now < lease.until)
    }

    fn from(renewed: Renewed, now: Millis) -> Self {
        Self {
            sealed: renewed.sealed,
            issued_at: renewed.issued_at,
            expires_at: renewed.expires_at,
            renewed_at: now,
            organization: renewed.organization,
            role: renewed.role,
            next_subject: None,
            lease: None,
            failures: 0,
            retry_at: None,
            unsure: false,
            state: UpstreamState::Good,
        }
    }

    fn lease_out(&self, lease: Lease, subject: &Subject) -> Outcome {
        Outcome::Upstream(UpstreamOutcome::Leased {
            sealed: self.sealed.clone(),
            until: lease.until,
            subject: subject.clone(),
            organization: self.organization.clone(),
            role: self.role.clone(),
        })
    }
}

/// See [`Command::UpstreamGrant`](crate::Command::UpstreamGrant).
pub(crate) fn grant(ledger: &mut Ledger, command: UpstreamGrant, step: &mut Step<'_>) -> Outcome {
    let session = match active(ledger, command.session, step) {
        Ok(session) => session,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let held = session.upstream.as_ref();
    if held.is_some_and(|held| held.issued_at > command.grant.issued_at) {
        return Outcome::Upstream(UpstreamOutcome::Superseded);
    }
    let known = held.is_some_and(|held| {
        held.sealed == command.grant.sealed && held.expires_at == command.grant.expires_at
    });
    if !known {
        session.upstream = Some(Upstream::from(command.grant, step.now));
        step.changed = true;
        step.tell(AuditKind::UpstreamGranted, session);
    }
    Outcome::Upstream(UpstreamOutcome::Stored)
}

/// See [`Command::UpstreamClaim`](crate::Command::UpstreamClaim).
pub(crate) fn claim(
    ledger: &mut Ledger,
    session: SessionId,
    id: LeaseId,
    step: &mut Step<'_>,
) -> Outcome {
    let session = match active(ledger, session, step) {
        Ok(session) => session,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let Some(grant) = session.upstream.as_mut() else {
        return Outcome::Upstream(UpstreamOutcome::NotDue { due_at: None });
    };
    if let Some(lease) = grant.held(step.now) {
        return if lease.id == id {
            grant.lease_out(lease, &session.subject)
        } else {
            Outcome::Upstream(UpstreamOutcome::Held { until: lease.until })
        };
    }
    if !grant.is_due(step.now, step.policy) {
        let due_at = grant.due_at(step.policy);
        return Outcome::Upstream(UpstreamOutcome::NotDue { due_at });
    }
    let lost = grant.lease.is_some();
    grant.unsure |= lost;
    let lease = Lease { id, until: step.now.saturating_add(LEASE) };
    grant.lease = Some(lease);
    let outcome = grant.lease_out(lease, &session.subject);
    step.changed = true;
    if lost {
        step.tell(AuditKind::UpstreamAnswerLost, session);
    }
    outcome
}

/// See [`Command::UpstreamStore`](crate::Command::UpstreamStore).
pub(crate) fn store(
    ledger: &mut Ledger,
    command: UpstreamStore,
    step: &mut Step<'_>,
    random: &mut dyn FnMut(&mut [u8]),
) -> Outcome {
    let session = match active(ledger, command.session, step) {
        Ok(session) => session,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let holds = |lease: Lease| lease.id == command.lease;
    let Some(grant) = session.upstream.as_mut().filter(|grant| grant.lease.is_some_and(holds))
    else {
        return Outcome::Upstream(UpstreamOutcome::Superseded);
    };
    grant.lease = None;
    step.changed = true;
    match command.answer {
        UpstreamAnswer::Renewed(renewed) => renew(session, renewed, step),
        UpstreamAnswer::Retryable { reason, retry_at, unsure } => {
            grant.unsure |= unsure;
            grant.failures = grant.failures.saturating_add(1);
            let wait = backoff(grant.failures, random);
            let latest = step.now.saturating_add(BACKOFF_MAX);
            let asked = retry_at.unwrap_or_default().min(latest);
            grant.retry_at = Some(step.now.saturating_add(wait).max(asked));
            step.tell_why(AuditKind::UpstreamFailed, session, Some(&bounded(&reason, MAX_REASON)));
            Outcome::Upstream(UpstreamOutcome::Stored)
        }
        UpstreamAnswer::Ended if grant.unsure => {
            grant.state = UpstreamState::NeedsSignIn;
            step.tell(AuditKind::UpstreamSignIn, session);
            Outcome::Upstream(UpstreamOutcome::SignInRequired)
        }
        UpstreamAnswer::Ended => {
            step.end(session, EndReason::UpstreamEnded);
            Outcome::Upstream(UpstreamOutcome::Ended)
        }
    }
}

fn renew(session: &mut Session, renewed: Renewed, step: &mut Step<'_>) -> Outcome {
    let pending = session.upstream.take().and_then(|grant| grant.next_subject);
    let found = renewed.subject.clone().filter(|subject| subject.id == session.subject.id);
    // Nobody found out: what was found out before is as good as it gets.
    let next = found.map_or(pending.clone(), |subject| {
        Some(subject).filter(|subject| *subject != session.subject)
    });
    let moves = next.is_some() && next != pending;
    session.external_id = Some(renewed.external_id.clone());
    session.upstream = Some(Upstream { next_subject: next, ..Upstream::from(renewed, step.now) });
    step.tell(AuditKind::UpstreamRenewed, session);
    if moves {
        step.tell(AuditKind::SessionMoved, session);
    }
    Outcome::Upstream(UpstreamOutcome::Stored)
}

/// Twice as long after each failure, and somewhere in the second half of it, so that the sessions
/// that an outage has brought together come apart.
fn backoff(failures: u32, random: &mut dyn FnMut(&mut [u8])) -> Millis {
    let doublings = failures.saturating_sub(1).min(16);
    let half = (BACKOFF << doublings).min(BACKOFF_MAX) / 2;
    let mut drawn = [0; 16];
    random(&mut drawn);
    half + Millis::try_from(u128::from_be_bytes(drawn) % u128::from(half)).unwrap_or(0)
}

fn active<'l>(
    ledger: &'l mut Ledger,
    session: SessionId,
    step: &mut Step<'_>,
) -> Result<&'l mut Session, Refusal> {
    let session = ledger.find(session).ok_or(Refusal::UnknownSession)?;
    step.expire(session);
    match session.ended() {
        None => Ok(session),
        Some((_, reason)) => Err(Refusal::SessionEnded(reason)),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, kinds, ledger, refresh, run, sign_in, strings};
    use crate::{Applied, Command, Refresh, State};

    const HOUR: Millis = 60 * MINUTE;

    fn name(lease: u8) -> LeaseId {
        LeaseId::from_bytes([lease; 16])
    }

    fn renewed(sealed: &str, issued_at: Millis) -> Renewed {
        Renewed {
            sealed: sealed.to_owned(),
            issued_at,
            expires_at: issued_at + HOUR,
            external_id: "x".to_owned(),
            organization: None,
            role: None,
            subject: None,
        }
    }

    /// A session with a grant that expires in an hour.
    fn granted() -> Ledger {
        let mut ledger = ledger(&[1]);
        ledger.sessions[0].external_id = Some("x".to_owned());
        ledger.sessions[0].idle = 10 * HOUR;
        let applied = give(&mut ledger, "one", NOW, NOW);
        assert_eq!(kinds(&applied), [AuditKind::UpstreamGranted]);
        ledger
    }

    fn give(ledger: &mut Ledger, sealed: &str, issued_at: Millis, now: Millis) -> Applied {
        let grant = UpstreamGrant { session: id(1), grant: renewed(sealed, issued_at) };
        run(ledger, Command::UpstreamGrant(grant), now)
    }

    fn ask(ledger: &mut Ledger, lease: u8, now: Millis) -> UpstreamOutcome {
        let command = Command::UpstreamClaim { session: id(1), lease: name(lease) };
        plain(run(ledger, command, now))
    }

    fn say(ledger: &mut Ledger, lease: u8, answer: UpstreamAnswer, now: Millis) -> Applied {
        let command = UpstreamStore { session: id(1), lease: name(lease), answer };
        run(ledger, Command::UpstreamStore(command), now)
    }

    fn plain(applied: Applied) -> UpstreamOutcome {
        match applied.outcome {
            Outcome::Upstream(outcome) => outcome,
            other => panic!("of no grant: {other:?}"),
        }
    }

    fn failed(unsure: bool) -> UpstreamAnswer {
        UpstreamAnswer::Retryable { reason: "away".to_owned(), retry_at: None, unsure }
    }

    fn held(ledger: &Ledger) -> &Upstream {
        ledger.sessions[0].upstream.as_ref().unwrap()
    }

    fn is_lent(outcome: &UpstreamOutcome) -> bool {
        matches!(outcome, UpstreamOutcome::Leased { .. })
    }

    const DUE: Millis = NOW + HOUR - 5 * MINUTE;

    #[test]
    fn a_grant_is_due_five_minutes_before_its_access_token_expires() {
        let mut ledger = granted();
        let before = ask(&mut ledger, 1, DUE - 1);
        assert_eq!(before, UpstreamOutcome::NotDue { due_at: Some(DUE) });
        let UpstreamOutcome::Leased { sealed, until, subject, .. } = ask(&mut ledger, 1, DUE)
        else {
            panic!("due")
        };
        assert_eq!((sealed.as_str(), until, subject.id.as_str()), ("one", DUE + LEASE, "user"));
    }

    #[test]
    fn a_session_without_a_grant_has_nothing_to_renew() {
        let mut ledger = ledger(&[1]);
        assert_eq!(ask(&mut ledger, 1, NOW), UpstreamOutcome::NotDue { due_at: None });
        let stored = say(&mut ledger, 1, UpstreamAnswer::Ended, NOW);
        assert_eq!(plain(stored), UpstreamOutcome::Superseded);
        assert!(ledger.sessions[0].is_active());
    }

    #[test]
    fn one_at_a_time_has_the_lease_and_may_ask_for_it_again() {
        let mut ledger = granted();
        let first = ask(&mut ledger, 1, DUE);
        assert!(is_lent(&first));
        for now in [DUE, DUE + LEASE - 1] {
            assert_eq!(ask(&mut ledger, 1, now), first);
            assert_eq!(ask(&mut ledger, 2, now), UpstreamOutcome::Held { until: DUE + LEASE });
        }
        assert!(is_lent(&ask(&mut ledger, 2, DUE + LEASE)));
    }

    #[test]
    fn a_renewed_grant_is_kept_and_not_due_for_a_while_however_short_it_lives() {
        let mut ledger = granted();
        ask(&mut ledger, 1, DUE);
        let short = Renewed { expires_at: DUE + MINUTE, ..renewed("two", DUE) };
        let stored = say(&mut ledger, 1, UpstreamAnswer::Renewed(short), DUE + 1);
        assert_eq!(kinds(&stored), [AuditKind::UpstreamRenewed]);
        assert_eq!(held(&ledger).sealed, "two");
        let due_at = Some(DUE + 1 + SPACING);
        assert_eq!(ask(&mut ledger, 2, DUE + SPACING), UpstreamOutcome::NotDue { due_at });
        assert!(is_lent(&ask(&mut ledger, 2, DUE + 1 + SPACING)));
    }

    #[test]
    fn only_the_lease_in_force_is_answered_to_and_only_once() {
        let mut ledger = granted();
        ask(&mut ledger, 1, DUE);
        let foreign = say(&mut ledger, 2, UpstreamAnswer::Ended, DUE);
        assert_eq!(plain(foreign), UpstreamOutcome::Superseded);
        let answer = UpstreamAnswer::Renewed(renewed("two", DUE));
        assert_eq!(plain(say(&mut ledger, 1, answer.clone(), DUE)), UpstreamOutcome::Stored);
        let again = say(&mut ledger, 1, answer, DUE);
        assert!(!again.changed);
        assert_eq!(plain(again), UpstreamOutcome::Superseded);
    }

    #[test]
    fn a_failure_ends_nothing_and_waits_twice_as_long_each_time() {
        let mut ledger = granted();
        let mut now = DUE;
        for failure in 1..40 {
            assert!(is_lent(&ask(&mut ledger, 1, now)));
            let stored = say(&mut ledger, 1, failed(false), now);
            assert_eq!(kinds(&stored), [AuditKind::UpstreamFailed]);
            let wait = held(&ledger).retry_at.unwrap() - now;
            let whole = (BACKOFF << (failure - 1).min(16)).min(BACKOFF_MAX);
            assert!((whole / 2..whole).contains(&wait), "{failure}: {wait}");
            assert!(!is_lent(&ask(&mut ledger, 1, now + wait - 1)));
            now += wait;
        }
        assert!(ledger.sessions[0].is_active());
    }

    #[test]
    fn the_jitter_is_drawn_and_what_the_provider_asks_for_is_kept_within_bounds() {
        let waits = |random: u8, retry_at| {
            let mut ledger = granted();
            ask(&mut ledger, 1, DUE);
            let answer =
                UpstreamAnswer::Retryable { reason: String::new(), retry_at, unsure: false };
            let store = UpstreamStore { session: id(1), lease: name(1), answer };
            let context = crate::Context {
                now: DUE,
                policy: &Policy::default(),
                origin: &crate::fixture::ORIGIN,
            };
            let command = Command::UpstreamStore(store);
            crate::apply(&mut ledger, command, context, &mut |bytes| bytes.fill(random));
            held(&ledger).retry_at.unwrap() - DUE
        };
        assert_eq!(waits(0, None), BACKOFF / 2);
        assert_ne!(waits(7, None), waits(0, None));
        assert_eq!(waits(0, Some(DUE + MINUTE)), MINUTE);
        assert_eq!(waits(0, Some(Millis::MAX)), BACKOFF_MAX);
        assert_eq!(waits(0, Some(0)), BACKOFF / 2);
    }

    #[test]
    fn a_success_forgets_the_failures() {
        let mut ledger = granted();
        ask(&mut ledger, 1, DUE);
        say(&mut ledger, 1, failed(true), DUE);
        ask(&mut ledger, 1, DUE + HOUR);
        say(&mut ledger, 1, UpstreamAnswer::Renewed(renewed("two", DUE)), DUE + HOUR);
        let grant = held(&ledger);
        assert_eq!((grant.failures, grant.retry_at, grant.unsure), (0, None, false));
    }

    #[test]
    fn a_grant_that_the_provider_ended_ends_the_session() {
        let mut ledger = granted();
        ask(&mut ledger, 1, DUE);
        say(&mut ledger, 1, failed(false), DUE);
        ask(&mut ledger, 1, DUE + HOUR);
        let ended = say(&mut ledger, 1, UpstreamAnswer::Ended, DUE + HOUR);
        assert_eq!(kinds(&ended), [AuditKind::SessionUpstreamEnded]);
        assert_eq!(plain(ended), UpstreamOutcome::Ended);
        let reason = EndReason::UpstreamEnded;
        assert_eq!(ledger.sessions[0].state, State::Ended { at: DUE + HOUR, reason });
        assert_eq!(ledger.sessions[0].upstream, None, "a dead session keeps no credential");
    }

    #[test]
    fn after_an_answer_that_may_be_lost_only_the_grant_ends() {
        let lost: [fn(&mut Ledger); 3] = [
            // Whoever had the lease never came back.
            |ledger| drop(ask(ledger, 1, DUE)),
            |ledger| {
                ask(ledger, 1, DUE);
                say(ledger, 1, failed(true), DUE);
            },
            // The store had lost writes.
            |ledger| drop(run(ledger, Command::Refresh(refresh(1, 3)), DUE)),
        ];
        for lose in lost {
            let mut ledger = granted();
            lose(&mut ledger);
            assert!(is_lent(&ask(&mut ledger, 2, DUE + HOUR)));
            let ended = say(&mut ledger, 2, UpstreamAnswer::Ended, DUE + HOUR);
            assert_eq!(kinds(&ended), [AuditKind::UpstreamSignIn]);
            assert_eq!(plain(ended), UpstreamOutcome::SignInRequired);
            assert!(ledger.sessions[0].is_active());
            let never = UpstreamOutcome::NotDue { due_at: None };
            assert_eq!(ask(&mut ledger, 2, DUE + 3 * HOUR), never);
            let Outcome::Sessions(views) = run(&mut ledger, Command::List, DUE + HOUR).outcome
            else {
                panic!("a list")
            };
            assert_eq!(views[0].upstream, Some(UpstreamState::NeedsSignIn));
            // Until the person signs in again.
            let again = give(&mut ledger, "new", DUE + HOUR, DUE + HOUR);
            assert_eq!(plain(again), UpstreamOutcome::Stored);
            assert_eq!(held(&ledger).state, UpstreamState::Good);
        }
    }

    #[test]
    fn a_lease_that_was_not_answered_is_told() {
        let mut ledger = granted();
        ask(&mut ledger, 1, DUE);
        let command = Command::UpstreamClaim { session: id(1), lease: name(2) };
        let applied = run(&mut ledger, command, DUE + LEASE);
        assert_eq!(kinds(&applied), [AuditKind::UpstreamAnswerLost]);
    }

    #[test]
    fn an_older_grant_does_not_replace_a_newer_one() {
        let mut ledger = granted();
        let older = give(&mut ledger, "older", NOW - 1, NOW + 1);
        assert!(!older.changed);
        assert_eq!(plain(older), UpstreamOutcome::Superseded);
        assert!(!give(&mut ledger, "one", NOW, NOW + 1).changed, "a repetition");
        give(&mut ledger, "newer", NOW + 1, NOW + 1);
        assert_eq!(held(&ledger).sealed, "newer");
    }

    #[test]
    fn a_refresh_whose_caller_renews_the_grant_is_told_before_it_rotates() {
        let mut ledger = granted();
        ledger.sessions[0].counter = 5;
        let asks = |counter| Refresh { renews_upstream: true, ..refresh(1, counter) };
        let due = Outcome::Upstream(UpstreamOutcome::Due);
        let told = run(&mut ledger, Command::Refresh(asks(5)), DUE);
        assert_eq!((told.outcome, told.changed), (due, false));
        let rotates = |ledger: &mut Ledger, command, now| {
            let outcome = run(ledger, Command::Refresh(command), now).outcome;
            matches!(outcome, Outcome::Issued(_))
        };
        assert!(rotates(&mut ledger.clone(), asks(5), DUE - 1), "not due");
        assert!(rotates(&mut ledger.clone(), refresh(1, 5), DUE), "nobody would renew it");
        ask(&mut ledger, 1, DUE);
        assert!(rotates(&mut ledger, asks(5), DUE), "somebody is about it");
        assert!(rotates(&mut ledger, asks(5), DUE + LEASE), "a repeated answer waits for nobody");
    }

    #[test]
    fn the_session_follows_the_person_from_the_next_rotation_on() {
        let mut ledger = granted();
        let organization = Some("org".to_owned());
        let moved = Subject { id: "user".to_owned(), organization, roles: strings(&["admin"]) };
        let at_home = ledger.sessions[0].subject.clone();
        run(&mut ledger, Command::Refresh(refresh(1, 0)), DUE);
        ask(&mut ledger, 1, DUE);
        let answer = Renewed { subject: Some(moved.clone()), ..renewed("two", DUE) };
        let stored = say(&mut ledger, 1, UpstreamAnswer::Renewed(answer), DUE);
        assert_eq!(kinds(&stored), [AuditKind::UpstreamRenewed, AuditKind::SessionMoved]);
        let subject = |ledger: &mut Ledger, counter| match run(
            ledger,
            Command::Refresh(refresh(1, counter)),
            DUE + 1,
        )
        .outcome
        {
            Outcome::Issued(issue) => issue.subject,
            other => panic!("not issued: {other:?}"),
        };
        assert_eq!(subject(&mut ledger, 0), at_home, "what was handed out stays as it was");
        assert_eq!(subject(&mut ledger, 1), moved);
        assert_eq!(held(&ledger).next_subject, None);
    }

    #[test]
    fn an_answer_for_another_person_moves_nothing() {
        let mut ledger = granted();
        ask(&mut ledger, 1, DUE);
        let subject = Some(Subject { id: "other".to_owned(), organization: None, roles: vec![] });
        let answer = UpstreamAnswer::Renewed(Renewed { subject, ..renewed("two", DUE) });
        say(&mut ledger, 1, answer, DUE);
        run(&mut ledger, Command::Refresh(refresh(1, 0)), DUE);
        assert_eq!(ledger.sessions[0].subject.id, "user");
    }

    #[test]
    fn a_sign_out_at_the_provider_ends_its_sessions_of_all_clients_and_no_others() {
        let mut ledger = ledger(&[1, 2, 3]);
        for (session, sign_in) in ledger.sessions.iter_mut().zip(["x", "x", "y"]) {
            session.external_id = Some(sign_in.to_owned());
        }
        ledger.sessions[1].client_id = "other".to_owned();
        let reason = Some("session.revoked".to_owned());
        let command = Command::RevokeExternal { external_id: "x".to_owned(), reason };
        let applied = run(&mut ledger, command.clone(), NOW + 5);
        assert_eq!(applied.outcome, Outcome::Revoked { sessions: 2 });
        assert_eq!(kinds(&applied), [AuditKind::SessionSignedOut, AuditKind::SessionSignedOut]);
        let active: Vec<_> = ledger.sessions.iter().map(Session::is_active).collect();
        assert_eq!(active, [false, false, true]);
        let again = run(&mut ledger, command, NOW + 6);
        assert_eq!((again.outcome, again.changed), (Outcome::Revoked { sessions: 0 }, false));
        // A proof from before is of no use to any client.
        for client_id in ["app", "other", "third"].map(str::to_owned) {
            let proof = crate::CreateSession { client_id, ..sign_in(Some("x"), NOW + 5) };
            let refused = run(&mut ledger, Command::CreateSession(proof), NOW + 6);
            assert_eq!(refused.outcome, Outcome::Refused(Refusal::StaleProof));
        }
        let command = Command::CreateSession(sign_in(Some("x"), NOW + 6));
        assert!(matches!(run(&mut ledger, command, NOW + 6).outcome, Outcome::Issued(_)));
    }

    #[test]
    fn what_is_not_there_or_over_is_refused() {
        let mut ledger = granted();
        let end = ledger.sessions[0].absolute_end;
        for (session, now, refusal) in [
            (9, NOW, Refusal::UnknownSession),
            (1, end, Refusal::SessionEnded(EndReason::IdleTimeout)),
        ] {
            let (session, lease) = (id(session), name(1));
            let answer = UpstreamAnswer::Ended;
            for command in [
                Command::UpstreamGrant(UpstreamGrant { session, grant: renewed("two", NOW) }),
                Command::UpstreamClaim { session, lease },
                Command::UpstreamStore(UpstreamStore { session, lease, answer }),
            ] {
                assert_eq!(run(&mut ledger, command, now).outcome, Outcome::Refused(refusal));
            }
        }
    }
}
