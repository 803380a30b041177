//! The model of one session: the list of every token that it issued, and what follows from it.

use ledger::{
    AuditKind, Budget, Class, CreateSession, EndReason, Issue, Millis, OnceId, Outcome,
    PastRefresh, Policy, Refresh, Refusal, SessionId, Subject, UpstreamOutcome,
};

use crate::grant::Grant;
use crate::quota::Quota;
use crate::simple::Events;
use crate::suspicion::Suspicion;

/// The past of a session.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) id: SessionId,
    pub(crate) subject: Subject,
    pub(crate) client: String,
    pub(crate) external: Option<String>,
    pub(crate) code: Option<OnceId>,
    pub(crate) key: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) born: Millis,
    pub(crate) seen: Millis,
    pub(crate) idle: Millis,
    pub(crate) last_day: Millis,
    /// From when on the deployment takes sessions.
    pub(crate) not_before: Option<Millis>,
    pub(crate) over: Option<(Millis, EndReason)>,
    /// Every token that this session is known to have issued, oldest first.
    pub(crate) issued: Vec<Entry>,
    /// How many of them there were when an access token was last revoked by itself.
    pub(crate) withdrawn: usize,
    pub(crate) suspicion: Suspicion,
    pub(crate) refreshes: Vec<PastRefresh>,
    pub(crate) grant: Option<Grant>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) number: (u16, u32),
    pub(crate) at: Millis,
    pub(crate) key_id: u8,
}

impl Past {
    pub(crate) fn last(&self) -> Entry {
        *self.issued.last().expect("a session begins with a token")
    }

    pub(crate) fn same_sign_in(&self, create: &CreateSession) -> bool {
        self.external.is_some()
            && self.external == create.external_id
            && self.client == create.client_id
            && self.code.is_none()
            && create.code.is_none()
    }

    /// Whether its end forbids to begin another session.
    pub(crate) fn forbids(&self, create: &CreateSession) -> bool {
        let Some((at, reason)) = self.over else { return false };
        let out = reason == EndReason::SignedOut
            && self.external.is_some()
            && self.external == create.external_id;
        if create.code.is_some() {
            out || reason == EndReason::RevokedAll && create.authenticated_at <= at
        } else {
            (out || self.same_sign_in(create)) && create.authenticated_at <= at
        }
    }

    pub(crate) fn grow_old(&mut self, now: Millis, events: &mut Events) {
        if self.over.is_none() && now >= self.end() {
            if self.end() < self.last_day.min(self.seen + self.idle) {
                self.finish(self.end(), EndReason::NotBefore, events);
            } else if self.seen + self.idle < self.last_day {
                self.finish(self.seen + self.idle, EndReason::IdleTimeout, events);
            } else {
                self.finish(self.last_day, EndReason::AbsoluteTimeout, events);
            }
        }
    }

    pub(crate) fn end(&self) -> Millis {
        let timeout = self.last_day.min(self.seen + self.idle);
        self.not_before.filter(|moment| self.born < *moment).map_or(timeout, |at| at.min(timeout))
    }

    pub(crate) fn finish(&mut self, at: Millis, reason: EndReason, events: &mut Events) {
        self.over = Some((at, reason));
        self.grant = None;
        let kind = if reason == EndReason::Reuse {
            AuditKind::ReuseDetected
        } else {
            AuditKind::of_end(reason)
        };
        events.push((kind, Some(self.id)));
    }

    pub(crate) fn use_at(&mut self, now: Millis) {
        if now > self.seen && now - self.seen >= 60_000.min(self.idle / 30) {
            self.seen = now;
        }
    }

    /// Hand out the next token.
    pub(crate) fn replace(&mut self, key_id: u8, now: Millis, events: &mut Events) {
        let (generation, counter) = self.last().number;
        self.issued.push(Entry { number: (generation, counter + 1), at: now, key_id });
        self.seen = now;
        self.suspicion.replays = 0;
        self.follow();
        events.push((AuditKind::TokenRotated, Some(self.id)));
    }

    /// From now on it speaks of whom the provider last spoke.
    pub(crate) fn follow(&mut self) {
        if let Some(next) = self.grant.as_mut().and_then(|grant| grant.next.take()) {
            self.subject = next;
        }
    }

    /// Whether this is the last token but one, and the last one is young.
    pub(crate) fn replaced_just_now(
        &self,
        number: (u16, u32),
        now: Millis,
        policy: &Policy,
    ) -> bool {
        let last = self.last().number;
        let previous = self.issued.iter().rev().nth(1).map(|entry| entry.number);
        let lost = |previous| last.1 == 0 && number.0 + 1 == last.0 && number >= previous;
        previous.is_some_and(|previous| previous == number || lost(previous))
            && self.is_young(now, policy)
    }

    pub(crate) fn is_young(&self, now: Millis, policy: &Policy) -> bool {
        now < self.last().at || now - self.last().at < policy.grace
    }

    /// Find the token's place and move on; says whether the answer is a repeated one, or what else
    /// it is.
    pub(crate) fn turn(
        &mut self,
        refresh: &Refresh,
        now: Millis,
        policy: &Policy,
        quota: &mut Quota,
        events: &mut Events,
    ) -> Result<Outcome, bool> {
        let number = (refresh.generation, refresh.counter);
        let last = self.last();
        let repeats = number < last.number;
        let other = self.suspicion.is_other_device(&refresh.signals);
        if repeats && (other || !self.replaced_just_now(number, now, policy)) {
            self.finish(now, EndReason::Reuse, events);
            return Ok(Outcome::Refused(Refusal::Reuse));
        }
        let due_at = (last.at + policy.access_token).min(self.last_day) - 300_000;
        if number == last.number && refresh.proactive && !refresh.force_rotation && now < due_at {
            self.use_at(now);
            events.push((AuditKind::TokenNotDue, Some(self.id)));
            return Ok(Outcome::NotDue { due_at });
        }
        let due = self.grant.as_ref().is_some_and(|grant| grant.is_due(now, policy));
        if number == last.number && refresh.renews_upstream && due {
            return Ok(Outcome::Upstream(UpstreamOutcome::Due));
        }
        let replays = policy.limits.of(Class::Replay);
        if repeats && replays.is_some_and(|limit| self.suspicion.replays >= limit) {
            let (class, limit) = (Class::Replay, replays.unwrap_or(0));
            let reset_at = last.at + policy.grace;
            return Ok(Outcome::Limited(Budget { class, limit, remaining: 0, reset_at }));
        }
        if !repeats && let Err(limited) = quota.spend(Class::Refresh, now, policy) {
            return Ok(Outcome::Limited(limited));
        }
        if number > last.number {
            self.issued.push(Entry { number, ..last });
            self.grant.iter_mut().for_each(|grant| grant.doubted = true);
            events.push((AuditKind::Rollback, Some(self.id)));
        }
        let (told, too_much) = self.suspicion.meet(&refresh.signals, repeats, last.at, now, policy);
        events.extend(told.into_iter().map(|kind| (kind, Some(self.id))));
        if too_much {
            self.finish(now, EndReason::Risk, events);
            return Ok(Outcome::Refused(Refusal::SessionEnded(EndReason::Risk)));
        }
        if repeats {
            self.use_at(now);
            events.push((AuditKind::TokenReplayed, Some(self.id)));
        } else {
            self.replace(refresh.key_id, now, events);
        }
        self.remember(now, repeats);
        Err(repeats)
    }

    pub(crate) fn remember(&mut self, at: Millis, repeated: bool) {
        let network = self.suspicion.network.clone();
        let last = self.refreshes.last();
        if !(repeated && last.is_some_and(|last| last.repeated && last.network == network)) {
            self.refreshes.push(PastRefresh { at, network, repeated });
            let surplus = self.refreshes.len().saturating_sub(5);
            self.refreshes.drain(..surplus);
        }
    }

    pub(crate) fn issue(
        &self,
        scopes: Option<&Vec<String>>,
        resources: Option<&Vec<String>>,
        repeated: bool,
    ) -> Outcome {
        let last = self.last();
        Outcome::Issued(Issue {
            session: self.id,
            generation: last.number.0,
            counter: last.number.1,
            key_id: last.key_id,
            issued_at: last.at,
            absolute_end: self.last_day,
            subject: self.subject.clone(),
            scopes: scopes.unwrap_or(&self.scopes).clone(),
            resources: resources.unwrap_or(&self.resources).clone(),
            repeated,
        })
    }
}
