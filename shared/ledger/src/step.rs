use crate::device::bounded;
use crate::limits;
use crate::outcome::Stop;
use crate::{AuditEvent, AuditKind, Budget, Class, EndReason, Millis, Origin, Outcome, Policy};
use crate::{Refusal, Revocation, Session, State, Window};

/// `last_seen_at` is written at most once in this time, so that a read mostly stays a read.
const SEEN_RESOLUTION: Millis = 60_000;

/// The smallest part of the idle time that is written, so that a short idle time is not cut
/// shorter by the resolution: one minute in thirty.
const SEEN_PART_OF_IDLE: Millis = 30;

/// Longer identifiers of requests and traces are cut.
const MAX_TRACE: usize = 64;

/// By what a command is judged, besides the ledger itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time.
    pub now: Millis,
    /// The numbers.
    pub policy: &'a Policy,
    /// Who sent it.
    pub origin: &'a Origin,
}

/// One command on its way through the ledger: what it is judged by, and what it leaves behind.
/// Whatever changes a session says so here.
pub(crate) struct Step<'a> {
    pub(crate) now: Millis,
    pub(crate) policy: &'a Policy,
    pub(crate) origin: &'a Origin,
    pub(crate) events: Vec<AuditEvent>,
    pub(crate) changed: bool,
    /// The windows of the ledger, for as long as the command is on its way.
    pub(crate) windows: Vec<Window>,
    /// What the command has spent.
    pub(crate) budget: Option<Budget>,
    /// What the command has revoked.
    pub(crate) revocations: Vec<Revocation>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(context: Context<'a>) -> Self {
        let Context { now, policy, origin } = context;
        Self {
            now,
            policy,
            origin,
            events: Vec::new(),
            changed: false,
            windows: Vec::new(),
            budget: None,
            revocations: Vec::new(),
        }
    }

    /// Ends the session if its time is up. Every command does this to a session before it looks
    /// at its state.
    pub(crate) fn expire(&mut self, session: &mut Session) {
        let (deadline, reason) = session.deadline(self.policy);
        if session.is_active() && self.now >= deadline {
            // The true end, not the time of this command: a sign-in between the two must be able
            // to start the next session.
            self.end_at(session, deadline, reason);
        }
    }

    /// Ends an active session now.
    pub(crate) fn end(&mut self, session: &mut Session, reason: EndReason) {
        self.end_at(session, self.now, reason);
    }

    /// Ends an active session because somebody asked for it.
    pub(crate) fn revoke(&mut self, session: &mut Session, reason: EndReason, note: Option<&str>) {
        session.end_note = note.map(|note| bounded(note, Session::MAX_NOTE));
        self.end(session, reason);
    }

    /// Takes one from a rate limit, once per command.
    ///
    /// # Errors
    /// The answer, if the limit is met; then nothing was spent.
    pub(crate) fn spend(&mut self, class: Class) -> Result<(), Stop> {
        let Some(limit) = self.policy.limits.of(class) else { return Ok(()) };
        if self.budget.is_some() || !self.origin.actor.is_client() {
            return Ok(());
        }
        match limits::spend(&mut self.windows, class, limit, self.now) {
            Ok(budget) => {
                self.changed = true;
                self.budget = Some(budget);
                Ok(())
            }
            Err(budget) => Err(self.limited(budget)),
        }
    }

    /// The answer when a limit is met.
    pub(crate) fn limited(&mut self, budget: Budget) -> Stop {
        let event = self.event(self.now, AuditKind::LimitReached);
        let reason = Some(budget.class.as_str().to_owned());
        self.events.push(AuditEvent { reason, ..event });
        Stop::Limited(budget)
    }

    /// Notes that the session is in use.
    pub(crate) fn touch(&mut self, session: &mut Session) {
        let resolution = SEEN_RESOLUTION.min(session.idle / SEEN_PART_OF_IDLE);
        if self.now > session.last_seen_at
            && self.now >= session.last_seen_at.saturating_add(resolution)
        {
            session.last_seen_at = self.now;
            self.changed = true;
        }
    }

    /// Adds to the audit trail.
    pub(crate) fn tell(&mut self, kind: AuditKind, session: &Session) {
        self.tell_at(self.now, kind, session, None);
    }

    /// Adds to the audit trail what somebody asked for, with their reason.
    pub(crate) fn tell_why(&mut self, kind: AuditKind, session: &Session, note: Option<&str>) {
        let note = note.map(|note| bounded(note, Session::MAX_NOTE));
        self.tell_at(self.now, kind, session, note);
    }

    /// Adds to the audit trail what is of no session.
    pub(crate) fn tell_of_none(&mut self, kind: AuditKind, client_id: Option<&str>) {
        let event = self.event(self.now, kind);
        self.events.push(AuditEvent { client_id: client_id.map(str::to_owned), ..event });
    }

    /// Adds to the audit trail what came of an event of before.
    pub(crate) fn tell_like(&mut self, kind: AuditKind, before: &AuditEvent) {
        self.events.push(AuditEvent {
            session: before.session,
            client_id: before.client_id.clone(),
            organization: before.organization.clone(),
            reason: Some(before.kind.as_str().to_owned()),
            ..self.event(self.now, kind)
        });
    }

    /// Refuses, and tells of it.
    pub(crate) fn refuse(
        &mut self,
        refusal: Refusal,
        kind: AuditKind,
        session: &Session,
    ) -> Outcome {
        self.tell(kind, session);
        Outcome::Refused(refusal)
    }

    fn end_at(&mut self, session: &mut Session, at: Millis, reason: EndReason) {
        session.state = State::Ended { at, reason };
        // It is of no use any more, and sealed or not it is somebody's credential.
        session.upstream = None;
        self.changed = true;
        self.withdraw_tokens(session, reason);
        self.tell_at(at, AuditKind::of_end(reason), session, session.end_note.clone());
    }

    /// Notes that the access tokens of a session that has ended are worth nothing.
    fn withdraw_tokens(&mut self, session: &Session, reason: EndReason) {
        let timeout = matches!(reason, EndReason::IdleTimeout | EndReason::AbsoluteTimeout);
        let last = session.rotated_at.saturating_add(Revocation::LONGEST).min(session.absolute_end);
        if timeout && last <= self.now {
            return;
        }
        let until = self.now.saturating_add(Revocation::LONGEST).min(session.absolute_end);
        self.revocations.push(Revocation { session: session.id, jti: None, until });
    }

    fn tell_at(&mut self, at: Millis, kind: AuditKind, session: &Session, reason: Option<String>) {
        self.events.push(AuditEvent {
            session: Some(session.id),
            client_id: Some(session.client_id.clone()),
            organization: session.subject.organization.clone(),
            device: Some(session.device.label.clone()).filter(|label| !label.is_empty()),
            network: session.network.clone(),
            reason,
            ..self.event(at, kind)
        });
    }

    fn event(&self, at: Millis, kind: AuditKind) -> AuditEvent {
        let cut = |id: &Option<String>| id.as_deref().map(|id| bounded(id, MAX_TRACE));
        AuditEvent {
            id: 0,
            kind,
            at,
            session: None,
            client_id: None,
            organization: None,
            device: None,
            network: None,
            actor: self.origin.actor.clone(),
            outcome: kind.outcome(),
            reason: None,
            request_id: cut(&self.origin.request_id),
            trace_id: cut(&self.origin.trace_id),
            count: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NOW, ORIGIN, session};

    fn step_at(now: Millis, policy: &Policy) -> Step<'_> {
        Step::new(Context { now, policy, origin: &ORIGIN })
    }

    #[test]
    fn use_is_noted_at_most_once_a_minute() {
        let policy = Policy::default();
        let mut session = session(1);
        for (after, noted) in [(0, false), (59_999, false), (60_000, true)] {
            let mut step = step_at(NOW + after, &policy);
            step.touch(&mut session);
            assert_eq!(step.changed, noted, "{after}");
        }
        assert_eq!(session.last_seen_at, NOW + 60_000);
    }

    #[test]
    fn a_short_idle_time_is_kept_alive_by_use() {
        let policy = Policy::default();
        let mut session = session(1);
        session.idle = 3_000;
        for (after, noted) in [(99, false), (100, true)] {
            let mut step = step_at(NOW + after, &policy);
            step.touch(&mut session);
            assert_eq!(step.changed, noted, "{after}");
        }
    }

    #[test]
    fn a_clock_that_went_back_notes_no_use() {
        let policy = Policy::default();
        for idle in [0, 1, 1_800_000] {
            let mut session = session(1);
            session.idle = idle;
            let mut step = step_at(NOW - 1, &policy);
            step.touch(&mut session);
            assert_eq!((session.last_seen_at, step.changed), (NOW, false));
        }
    }

    #[test]
    fn a_timeout_is_dated_when_time_ran_out() {
        let policy = Policy::default();
        let mut session = session(1);
        let end = NOW + session.idle;
        let mut step = step_at(end - 1, &policy);
        step.expire(&mut session);
        assert!(session.is_active() && !step.changed && step.events.is_empty());
        let mut step = step_at(end + 9, &policy);
        step.expire(&mut session);
        assert_eq!(session.state, State::Ended { at: end, reason: EndReason::IdleTimeout });
        assert!(step.changed);
        assert_eq!(step.events.len(), 1);
        assert_eq!(step.events[0].at, end);
        assert_eq!(step.events[0].kind, AuditKind::of_end(EndReason::IdleTimeout));
    }

    #[test]
    fn the_absolute_end_holds_for_a_session_in_use() {
        let policy = Policy::default();
        let mut session = session(1);
        let end = session.absolute_end;
        session.last_seen_at = end - 1;
        let mut step = step_at(end, &policy);
        step.expire(&mut session);
        assert_eq!(session.ended(), Some((end, EndReason::AbsoluteTimeout)));
    }

    #[test]
    fn an_ended_session_does_not_end_again() {
        let policy = Policy::default();
        let mut session = session(1);
        session.state = State::Ended { at: 1, reason: EndReason::Revoked };
        let mut step = step_at(Millis::MAX, &policy);
        step.expire(&mut session);
        assert_eq!(session.ended(), Some((1, EndReason::Revoked)));
        assert!(!step.changed && step.events.is_empty());
    }
}
