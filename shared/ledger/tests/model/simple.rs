//! The model: for each session the list of every counter that was issued, and when. It says what
//! a command must answer from that list, without any of the ledger's code.

use std::cmp::Reverse;

use ledger::{
    AuditKind, Command, CreateSession, Credential, Device, EndReason, Inactive, Issue, Ledger,
    Millis, OnLimit, Outcome, Policy, Refresh, Refusal, SessionId, SessionView, Standing, State,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::ops::subject;

type Events = Vec<(AuditKind, SessionId)>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Simple {
    sessions: Vec<Past>,
    dead: Vec<(String, Millis)>,
}

/// The past of a session.
#[derive(Debug, Clone)]
struct Past {
    id: SessionId,
    client: String,
    external: Option<String>,
    scopes: Vec<String>,
    resources: Vec<String>,
    born: Millis,
    seen: Millis,
    idle: Millis,
    last_day: Millis,
    over: Option<(Millis, EndReason)>,
    /// Every token that this session is known to have issued, oldest first.
    issued: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    number: (u16, u32),
    at: Millis,
    key_id: u8,
}

impl Simple {
    /// What the command must answer and tell; the model moves on.
    pub(crate) fn expect(
        &mut self,
        command: &Command,
        now: Millis,
        policy: &Policy,
        name: SessionId,
    ) -> (Outcome, Events) {
        let mut events = Events::new();
        let outcome = match command {
            Command::CreateSession(create) => self.create(create, now, policy, name, &mut events),
            Command::Refresh(refresh) => self.refresh(refresh, now, policy, &mut events),
            Command::Check(check) => {
                self.check(check.session, &check.credential, now, policy, &mut events)
            }
            Command::RevokeToken(_) => self.revoke_token(command, now, &mut events),
            Command::RevokeSession { session } => self.revoke_session(*session, now, &mut events),
            Command::RevokeAll { except } => {
                let mut ended = 0;
                for past in &mut self.sessions {
                    past.grow_old(now, &mut events);
                    if past.over.is_none() && Some(past.id) != *except {
                        past.finish(now, EndReason::RevokedAll, &mut events);
                        ended += 1;
                    }
                }
                Outcome::Revoked { sessions: ended }
            }
            Command::List => self.list(now, &mut events),
            Command::Sweep => {
                self.grow_old(now, &mut events);
                let memory = policy.revocation_memory;
                self.sessions.retain(|past| past.over.is_none_or(|(at, _)| now < at + memory));
                self.dead.retain(|(_, expires_at)| now < *expires_at);
                Outcome::Swept
            }
        };
        (outcome, events)
    }

    /// The ledger holds exactly what the model holds.
    pub(crate) fn agrees_with(&self, ledger: &Ledger) -> TestCaseResult {
        let held: Vec<_> = ledger
            .sessions
            .iter()
            .map(|session| {
                let over = match session.state {
                    State::Active => None,
                    State::Ended { at, reason } => Some((at, reason)),
                };
                let number = (session.generation, session.counter);
                let times = (session.created_at, session.last_seen_at, session.absolute_end);
                (session.id, number, session.rotated_at, session.key_id, times, over)
            })
            .collect();
        let expected: Vec<_> = self
            .sessions
            .iter()
            .map(|past| {
                let last = past.last();
                let times = (past.born, past.seen, past.last_day);
                (past.id, last.number, last.at, last.key_id, times, past.over)
            })
            .collect();
        prop_assert_eq!(held, expected);
        let tokens = ledger.revoked_tokens.iter();
        let dead: Vec<_> = tokens.map(|token| (token.jti.clone(), token.expires_at)).collect();
        prop_assert_eq!(&dead, &self.dead);
        Ok(())
    }

    fn grow_old(&mut self, now: Millis, events: &mut Events) {
        self.sessions.iter_mut().for_each(|past| past.grow_old(now, events));
    }

    fn past(&mut self, id: SessionId) -> Option<&mut Past> {
        self.sessions.iter_mut().find(|past| past.id == id)
    }

    fn create(
        &mut self,
        create: &CreateSession,
        now: Millis,
        policy: &Policy,
        name: SessionId,
        events: &mut Events,
    ) -> Outcome {
        self.grow_old(now, events);
        for past in self.sessions.iter().filter(|past| past.same_sign_in(create)) {
            if past.over.is_some_and(|(at, _)| create.authenticated_at <= at) {
                return Outcome::Refused(Refusal::StaleProof);
            }
        }
        for past in &mut self.sessions {
            if past.same_sign_in(create) && past.over.is_none() {
                if create.scopes.iter().any(|scope| !past.scopes.contains(scope)) {
                    return Outcome::Refused(Refusal::ScopeNotGranted);
                }
                if create.resources.iter().any(|resource| !past.resources.contains(resource)) {
                    return Outcome::Refused(Refusal::ResourceNotGranted);
                }
                let stale = now >= past.last().at + policy.access_token;
                if stale {
                    past.replace(create.key_id, now, events);
                } else {
                    past.use_at(now);
                }
                return past.issue(Some(&create.scopes), Some(&create.resources), !stale);
            }
        }
        while self.sessions.iter().filter(|past| past.over.is_none()).count()
            >= usize::from(policy.max_sessions).max(1)
        {
            if policy.on_limit == OnLimit::Deny {
                return Outcome::Refused(Refusal::SessionLimit);
            }
            let alive = self.sessions.iter_mut().filter(|past| past.over.is_none());
            let Some(idlest) = alive.min_by_key(|past| (past.seen, past.born)) else { break };
            idlest.finish(now, EndReason::Evicted, events);
        }
        let offline = create.scopes.iter().any(|scope| scope == "offline_access");
        let past = Past {
            id: name,
            client: create.client_id.clone(),
            external: create.external_id.clone(),
            scopes: create.scopes.clone(),
            resources: create.resources.clone(),
            born: now,
            seen: now,
            idle: if offline { policy.offline_idle } else { policy.idle },
            last_day: now + if offline { policy.offline_absolute } else { policy.absolute },
            over: None,
            issued: vec![Entry { number: (0, 0), at: now, key_id: create.key_id }],
        };
        events.push((AuditKind::SessionCreated, name));
        let outcome = past.issue(None, None, false);
        self.sessions.push(past);
        outcome
    }

    fn refresh(
        &mut self,
        refresh: &Refresh,
        now: Millis,
        policy: &Policy,
        events: &mut Events,
    ) -> Outcome {
        let Some(past) = self.past(refresh.session) else {
            return Outcome::Refused(Refusal::UnknownSession);
        };
        if past.client != refresh.client_id {
            return Outcome::Refused(Refusal::ForeignClient);
        }
        past.grow_old(now, events);
        if let Some((_, reason)) = past.over {
            return Outcome::Refused(Refusal::SessionEnded(reason));
        }
        let (scopes, resources) = (refresh.scopes.as_ref(), refresh.resources.as_ref());
        if scopes.is_some_and(|asked| asked.iter().any(|one| !past.scopes.contains(one))) {
            return Outcome::Refused(Refusal::ScopeNotGranted);
        }
        if resources.is_some_and(|asked| asked.iter().any(|one| !past.resources.contains(one))) {
            return Outcome::Refused(Refusal::ResourceNotGranted);
        }
        let number = (refresh.generation, refresh.counter);
        if past.replaced_just_now(number, now, policy) {
            past.use_at(now);
            events.push((AuditKind::TokenReplayed, past.id));
            return past.issue(scopes, resources, true);
        }
        if number < past.last().number {
            past.finish(now, EndReason::Reuse, events);
            return Outcome::Refused(Refusal::Reuse);
        }
        if number > past.last().number {
            past.issued.push(Entry { number, at: now, key_id: refresh.key_id });
            events.push((AuditKind::Rollback, past.id));
        }
        past.replace(refresh.key_id, now, events);
        past.issue(scopes, resources, false)
    }

    fn check(
        &mut self,
        session: SessionId,
        credential: &Credential,
        now: Millis,
        policy: &Policy,
        events: &mut Events,
    ) -> Outcome {
        let dead = self.dead.clone();
        let Some(past) = self.past(session) else {
            return Outcome::Inactive(Inactive::Unknown);
        };
        past.grow_old(now, events);
        if let Some((_, reason)) = past.over {
            return Outcome::Inactive(Inactive::Ended(reason));
        }
        match credential {
            Credential::Access { jti, .. } if dead.iter().any(|(one, _)| one == jti) => {
                return Outcome::Inactive(Inactive::TokenRevoked);
            }
            Credential::Refresh { generation, counter } => {
                let number = (*generation, *counter);
                if number < past.last().number && !past.replaced_just_now(number, now, policy) {
                    return Outcome::Inactive(Inactive::Superseded);
                }
            }
            Credential::Access { .. } => {}
        }
        past.use_at(now);
        Outcome::Active(Standing {
            subject: subject(),
            client_id: past.client.clone(),
            scopes: past.scopes.clone(),
            resources: past.resources.clone(),
            rotated_at: past.last().at,
            expires_at: past.last_day.min(past.seen + past.idle),
        })
    }

    fn revoke_token(&mut self, command: &Command, now: Millis, events: &mut Events) -> Outcome {
        let Command::RevokeToken(revoke) = command else { unreachable!("asked for this one") };
        let mut dead = std::mem::take(&mut self.dead);
        let outcome = match self.past(revoke.session) {
            None => Outcome::Revoked { sessions: 0 },
            Some(past) if past.client != revoke.client_id => {
                Outcome::Refused(Refusal::ForeignClient)
            }
            Some(past) => {
                past.grow_old(now, events);
                match &revoke.credential {
                    _ if past.over.is_some() => Outcome::Revoked { sessions: 0 },
                    Credential::Access { jti, expires_at } if !revoke.cascade => {
                        if now < *expires_at && dead.iter().all(|(one, _)| one != jti) {
                            dead.push((jti.clone(), *expires_at));
                            events.push((AuditKind::TokenRevoked, past.id));
                        }
                        Outcome::Revoked { sessions: 0 }
                    }
                    _ => {
                        past.finish(now, EndReason::Revoked, events);
                        Outcome::Revoked { sessions: 1 }
                    }
                }
            }
        };
        self.dead = dead;
        outcome
    }

    fn revoke_session(&mut self, id: SessionId, now: Millis, events: &mut Events) -> Outcome {
        let Some(past) = self.past(id) else {
            return Outcome::Refused(Refusal::UnknownSession);
        };
        past.grow_old(now, events);
        if let Some((_, reason)) = past.over {
            return Outcome::Refused(Refusal::SessionEnded(reason));
        }
        past.finish(now, EndReason::Revoked, events);
        Outcome::Revoked { sessions: 1 }
    }

    fn list(&mut self, now: Millis, events: &mut Events) -> Outcome {
        self.grow_old(now, events);
        let mut alive: Vec<&Past> =
            self.sessions.iter().filter(|past| past.over.is_none()).collect();
        alive.sort_by_key(|past| (Reverse(past.seen), Reverse(past.born)));
        let view = |past: &Past| SessionView {
            id: past.id,
            client_id: past.client.clone(),
            device: Device { label: "test".to_owned() },
            scopes: past.scopes.clone(),
            created_at: past.born,
            last_seen_at: past.seen,
            idle_end: past.last_day.min(past.seen + past.idle),
            absolute_end: past.last_day,
        };
        Outcome::Sessions(alive.into_iter().map(view).collect())
    }
}

impl Past {
    fn last(&self) -> Entry {
        *self.issued.last().expect("a session begins with a token")
    }

    fn same_sign_in(&self, create: &CreateSession) -> bool {
        self.external.is_some()
            && self.external == create.external_id
            && self.client == create.client_id
    }

    fn grow_old(&mut self, now: Millis, events: &mut Events) {
        if self.over.is_none() && now >= self.last_day.min(self.seen + self.idle) {
            if self.seen + self.idle < self.last_day {
                self.finish(self.seen + self.idle, EndReason::IdleTimeout, events);
            } else {
                self.finish(self.last_day, EndReason::AbsoluteTimeout, events);
            }
        }
    }

    fn finish(&mut self, at: Millis, reason: EndReason, events: &mut Events) {
        self.over = Some((at, reason));
        let kind = if reason == EndReason::Reuse {
            AuditKind::ReuseDetected
        } else {
            AuditKind::SessionEnded(reason)
        };
        events.push((kind, self.id));
    }

    fn use_at(&mut self, now: Millis) {
        if now > self.seen && now - self.seen >= 60_000.min(self.idle / 30) {
            self.seen = now;
        }
    }

    /// Hand out the next token.
    fn replace(&mut self, key_id: u8, now: Millis, events: &mut Events) {
        let (generation, counter) = self.last().number;
        self.issued.push(Entry { number: (generation, counter + 1), at: now, key_id });
        self.seen = now;
        events.push((AuditKind::TokenRotated, self.id));
    }

    /// Whether this is the last token but one, and the last one is young.
    fn replaced_just_now(&self, number: (u16, u32), now: Millis, policy: &Policy) -> bool {
        let previous = self.issued.iter().rev().nth(1);
        previous.is_some_and(|entry| entry.number == number)
            && (now < self.last().at || now - self.last().at < policy.grace)
    }

    fn issue(
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
            subject: subject(),
            scopes: scopes.unwrap_or(&self.scopes).clone(),
            resources: resources.unwrap_or(&self.resources).clone(),
            repeated,
        })
    }
}
