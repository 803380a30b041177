//! The model of a session's grant at the identity provider: everything that was asked since it was
//! last renewed, and what came of it.

use ledger::{
    AuditKind, EndReason, LeaseId, Millis, Outcome, Policy, Renewed, Subject, UpstreamAnswer,
    UpstreamOutcome, UpstreamState,
};

use crate::past::Past;
use crate::simple::Events;

#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) last: Renewed,
    since: Millis,
    asked: Vec<Asked>,
    /// Whether the store has lost writes since.
    pub(crate) doubted: bool,
    pub(crate) lost: bool,
    pub(crate) next: Option<Subject>,
}

#[derive(Debug, Clone)]
struct Asked {
    lease: LeaseId,
    at: Millis,
    /// Until when to wait, and whether the provider may have answered.
    failed: Option<(Millis, bool)>,
}

impl Grant {
    pub(crate) fn new(last: Renewed, since: Millis) -> Self {
        Self { last, since, asked: vec![], doubted: false, lost: false, next: None }
    }

    pub(crate) fn state(&self) -> UpstreamState {
        if self.lost { UpstreamState::NeedsSignIn } else { UpstreamState::Good }
    }

    /// When the last failure is over.
    pub(crate) fn retry_at(&self) -> Option<Millis> {
        let failed = self.asked.iter().filter_map(|asked| asked.failed);
        failed.map(|(until, _)| until).rfind(|until| *until > 0)
    }

    fn due_at(&self, policy: &Policy) -> Option<Millis> {
        let times = [self.last.expires_at - policy.upstream_ahead, self.since + 10_000];
        (!self.lost).then(|| self.retry_at().into_iter().chain(times).max().unwrap_or(0))
    }

    fn busy(&self, now: Millis) -> Option<&Asked> {
        self.asked.last().filter(|asked| asked.failed.is_none() && now < asked.at + 30_000)
    }

    pub(crate) fn is_due(&self, now: Millis, policy: &Policy) -> bool {
        self.busy(now).is_none() && self.due_at(policy).is_some_and(|due_at| now >= due_at)
    }

    fn lent(&self, asked: &Asked, subject: &Subject) -> UpstreamOutcome {
        UpstreamOutcome::Leased {
            sealed: self.last.sealed.clone(),
            until: asked.at + 30_000,
            subject: subject.clone(),
            organization: self.last.organization.clone(),
            role: self.last.role.clone(),
        }
    }
}

/// A grant is handed over.
pub(crate) fn give(past: &mut Past, new: &Renewed, now: Millis, events: &mut Events) -> Outcome {
    let old = past.grant.as_ref().map(|grant| &grant.last);
    if old.is_some_and(|old| old.issued_at > new.issued_at) {
        return Outcome::Upstream(UpstreamOutcome::Superseded);
    }
    if old.is_none_or(|old| (&old.sealed, old.expires_at) != (&new.sealed, new.expires_at)) {
        past.grant = Some(Grant::new(new.clone(), now));
        events.push((AuditKind::UpstreamGranted, Some(past.id)));
    }
    Outcome::Upstream(UpstreamOutcome::Stored)
}

/// Somebody wants to renew it.
pub(crate) fn claim(
    past: &mut Past,
    lease: LeaseId,
    now: Millis,
    policy: &Policy,
    events: &mut Events,
) -> Outcome {
    let Some(grant) = &mut past.grant else {
        return Outcome::Upstream(UpstreamOutcome::NotDue { due_at: None });
    };
    if let Some(asked) = grant.busy(now) {
        return Outcome::Upstream(if asked.lease == lease {
            grant.lent(asked, &past.subject)
        } else {
            UpstreamOutcome::Held { until: asked.at + 30_000 }
        });
    }
    if !grant.is_due(now, policy) {
        let due_at = grant.due_at(policy);
        return Outcome::Upstream(UpstreamOutcome::NotDue { due_at });
    }
    if grant.asked.last().is_some_and(|asked| asked.failed.is_none()) {
        events.push((AuditKind::UpstreamAnswerLost, Some(past.id)));
    }
    let asked = Asked { lease, at: now, failed: None };
    grant.asked.push(asked.clone());
    Outcome::Upstream(grant.lent(&asked, &past.subject))
}

/// Somebody says what came of it.
pub(crate) fn store(
    past: &mut Past,
    lease: LeaseId,
    answer: &UpstreamAnswer,
    now: Millis,
    drawn: u128,
    events: &mut Events,
) -> Outcome {
    let superseded = Outcome::Upstream(UpstreamOutcome::Superseded);
    let Some(grant) = &mut past.grant else { return superseded };
    let failures = grant.asked.iter().filter(|asked| asked.failed.is_some()).count();
    let Some((asked, before)) = grant.asked.split_last_mut() else { return superseded };
    if asked.lease != lease || asked.failed.is_some() {
        return superseded;
    }
    let lost = |asked: &Asked| asked.failed.is_none_or(|(_, unsure)| unsure);
    match answer {
        UpstreamAnswer::Renewed(renewed) => {
            let same_person = renewed.subject.as_ref().filter(|one| one.id == past.subject.id);
            let next = match same_person {
                None => grant.next.clone(),
                Some(subject) if *subject == past.subject => None,
                Some(subject) => Some(subject.clone()),
            };
            events.push((AuditKind::UpstreamRenewed, Some(past.id)));
            if next.is_some() && next != grant.next {
                events.push((AuditKind::SessionMoved, Some(past.id)));
            }
            past.external = Some(renewed.external_id.clone());
            past.grant = Some(Grant { next, ..Grant::new(renewed.clone(), now) });
        }
        UpstreamAnswer::Retryable { retry_at, unsure, .. } => {
            let whole = [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000];
            let half = whole.get(failures).unwrap_or(&300_000) / 2;
            let wait = half + Millis::try_from(drawn).expect("small") % half;
            let asked_for = retry_at.unwrap_or(0).min(now + 300_000);
            asked.failed = Some((asked_for.max(now + wait), *unsure));
            events.push((AuditKind::UpstreamFailed, Some(past.id)));
        }
        UpstreamAnswer::Ended if grant.doubted || before.iter().any(lost) => {
            grant.lost = true;
            asked.failed = Some((0, true));
            events.push((AuditKind::UpstreamSignIn, Some(past.id)));
            return Outcome::Upstream(UpstreamOutcome::SignInRequired);
        }
        UpstreamAnswer::Ended => {
            past.finish(now, EndReason::UpstreamEnded, events);
            return Outcome::Upstream(UpstreamOutcome::Ended);
        }
    }
    Outcome::Upstream(UpstreamOutcome::Stored)
}
