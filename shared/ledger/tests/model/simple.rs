//! The model: for each session the list of every counter that was issued, and when. It says what
//! a command must answer from that list, without any of the ledger's code.

use std::cmp::Reverse;

use ledger::{
    AuditKind, Check, Class, Command, CreateSession, Credential, Device, EndReason, Extend,
    Inactive, Ledger, Millis, OnChange, OnLimit, Once, OnceId, Outcome, Policy, Refresh, Refusal,
    Revoke, Risk, SessionId, SessionLimit, SessionView, Standing, State, Which,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::grant::{self, Grant};
use crate::past::{Entry, Past};
use crate::quota::Quota;
use crate::suspicion::Suspicion;

pub(crate) type Events = Vec<(AuditKind, Option<SessionId>)>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Simple {
    sessions: Vec<Past>,
    dead: Vec<(String, Millis)>,
    used: Vec<Once>,
    quota: Quota,
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
        if let Some(refused) = self.again(command, now, &mut events) {
            return (refused, events);
        }
        let outcome = match command {
            Command::CreateSession(create) => self.create(create, now, policy, name, &mut events),
            Command::Refresh(refresh) => self.refresh(refresh, now, policy, &mut events),
            Command::Extend(extend) => self.extend(extend, now, policy, &mut events),
            Command::Check(check) => self.check(check, now, policy, &mut events),
            Command::RevokeToken(revoke) => self.revoke_token(revoke, now, policy, &mut events),
            Command::Consume { .. } => Outcome::Consumed,
            Command::WasUsed { names } => {
                let named = |one: &&Once| names.contains(&one.id);
                Outcome::Used(self.used.iter().filter(named).any(|one| now < one.until))
            }
            Command::RevokeSession { session, .. } => {
                self.revoke_session(*session, now, policy, &mut events)
            }
            Command::RevokeAll { except, .. } => {
                let mut ended = 0;
                self.grow_old(now, &mut events);
                let mut quota = Ok(());
                for past in &mut self.sessions {
                    if past.over.is_none() && Some(past.id) != *except {
                        if ended == 0 {
                            quota = self.quota.spend(Class::RevokeAll, now, policy);
                        }
                        if quota.is_err() {
                            break;
                        }
                        past.finish(now, EndReason::RevokedAll, &mut events);
                        ended += 1;
                    }
                }
                match quota {
                    Ok(()) => Outcome::Revoked { sessions: ended },
                    Err(limited) => Outcome::Limited(limited),
                }
            }
            Command::RevokeSome { which, .. } => {
                let mut ended = 0;
                self.grow_old(now, &mut events);
                let (class, reason) = match which {
                    Which::NotFrom(_) => (Class::RevokeAll, EndReason::RevokedAll),
                    Which::OfClient(_) => (Class::Delete, EndReason::Revoked),
                };
                let meant = |past: &&mut Past| match which {
                    Which::NotFrom(sign_in) => past.external.as_ref() != Some(sign_in),
                    Which::OfClient(client) => past.client == *client,
                };
                let mut quota = Ok(());
                let alive = self.sessions.iter_mut().filter(|past| past.over.is_none());
                for past in alive.filter(meant) {
                    if ended == 0 {
                        quota = self.quota.spend(class, now, policy);
                    }
                    if quota.is_err() {
                        break;
                    }
                    past.finish(now, reason, &mut events);
                    ended += 1;
                }
                match quota {
                    Ok(()) => Outcome::Revoked { sessions: ended },
                    Err(limited) => Outcome::Limited(limited),
                }
            }
            Command::RevokeExternal { external_id, .. } => {
                let mut ended = 0;
                let same = |past: &&mut Past| past.external.as_ref() == Some(external_id);
                for past in self.sessions.iter_mut().filter(same) {
                    past.grow_old(now, &mut events);
                    if past.over.is_none() {
                        past.finish(now, EndReason::SignedOut, &mut events);
                        ended += 1;
                    }
                }
                Outcome::Revoked { sessions: ended }
            }
            Command::UpstreamGrant(command) => self
                .alive(command.session, now, &mut events)
                .map_or_else(Outcome::Refused, |past| {
                    grant::give(past, &command.grant, now, &mut events)
                }),
            Command::UpstreamClaim { session, lease } => {
                self.alive(*session, now, &mut events).map_or_else(Outcome::Refused, |past| {
                    grant::claim(past, *lease, now, policy, &mut events)
                })
            }
            Command::UpstreamStore(command) => self
                .alive(command.session, now, &mut events)
                .map_or_else(Outcome::Refused, |past| {
                    let drawn = u128::from_be_bytes(*name.as_bytes());
                    grant::store(past, command.lease, &command.answer, now, drawn, &mut events)
                }),
            Command::List => self.list(now, policy, &mut events),
            Command::Register => match self.quota.spend(Class::Register, now, policy) {
                Ok(()) => Outcome::Consumed,
                Err(limited) => Outcome::Limited(limited),
            },
            Command::RevokeMany { tokens } => self.revoke_many(tokens, now, policy, &mut events),
            // Held by laws.
            Command::Outbox { .. }
            | Command::AckOutbox { .. }
            | Command::AckEvents { .. }
            | Command::ClaimWebhooks { .. }
            | Command::SettleWebhook(_) => Outcome::Swept,
            Command::Sweep => {
                self.grow_old(now, &mut events);
                let memory = policy.revocation_memory;
                let gone = |past: &Past| past.over.is_some_and(|(at, _)| now >= at + memory);
                let names = self.sessions.iter().filter(|past| gone(past)).map(|past| past.id);
                events.extend(names.map(|id| (AuditKind::SessionForgotten, Some(id))));
                self.sessions.retain(|past| !gone(past));
                self.dead.retain(|(_, expires_at)| now < *expires_at);
                if self.used.iter().all(|once| once.until <= now) {
                    self.used.clear();
                }
                Outcome::Swept
            }
        };
        if let Outcome::Limited(_) = outcome {
            events.push((AuditKind::LimitReached, None));
        }
        let once = once_of(command);
        if matches!(outcome, Outcome::Issued(_) | Outcome::Active(_) | Outcome::Consumed)
            && !once.is_empty()
        {
            self.used.retain(|used| now < used.until);
            self.used.extend(once);
        }
        (outcome, events)
    }

    /// The refusal of what was used before; a code takes its session along.
    fn again(&mut self, command: &Command, now: Millis, events: &mut Events) -> Option<Outcome> {
        let code = match command {
            Command::CreateSession(create) => create.code,
            _ => None,
        };
        let mut seen: Vec<OnceId> = self.used.iter().map(|used| used.id).collect();
        let mut is_new = |once: &Once| {
            let new = once.until > now && !seen.contains(&once.id);
            seen.push(once.id);
            new
        };
        let started = |code: &Once| self.sessions.iter().any(|past| past.code == Some(code.id));
        if let Some(code) = code.filter(|code| !is_new(code) || started(code)) {
            let mut own = self.sessions.iter_mut().filter(|past| past.code == Some(code.id));
            own.by_ref().for_each(|past| past.grow_old(now, events));
            let mut own = self.sessions.iter_mut().filter(|past| past.code == Some(code.id));
            match own.find(|past| past.over.is_none()) {
                Some(past) => past.finish(now, EndReason::CodeReplayed, events),
                None => events.push((AuditKind::CodeRefused, None)),
            }
            return Some(Outcome::Refused(Refusal::Replayed));
        }
        let others = once_of(command).into_iter().skip(usize::from(code.is_some()));
        if others.map(|once| is_new(&once)).filter(|new| !new).count() > 0 {
            events.push((AuditKind::OnceReplayed, None));
            return Some(Outcome::Refused(Refusal::Replayed));
        }
        None
    }

    /// The ledger holds exactly what the model holds.
    pub(crate) fn agrees_with(
        &self,
        ledger: &Ledger,
        outcome: &Outcome,
        now: Millis,
    ) -> TestCaseResult {
        if let Outcome::Sessions(views) = outcome {
            for view in views {
                let past = self.sessions.iter().find(|past| past.id == view.id);
                prop_assert!(past.is_some_and(|past| past.suspicion.explains(&view.risk, now)));
            }
        }
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
                let grant = session.upstream.as_ref();
                let grant = grant.map(|grant| (grant.sealed.clone(), grant.state, grant.retry_at));
                let bound = (session.code, session.key.clone());
                (session.id, number, session.rotated_at, session.key_id, times, over, grant, bound)
            })
            .collect();
        let expected: Vec<_> = self
            .sessions
            .iter()
            .map(|past| {
                let last = past.last();
                let times = (past.born, past.seen, past.last_day);
                let grant = past.grant.as_ref();
                let grant =
                    grant.map(|grant| (grant.last.sealed.clone(), grant.state(), grant.retry_at()));
                let bound = (past.code, past.key.clone());
                (past.id, last.number, last.at, last.key_id, times, past.over, grant, bound)
            })
            .collect();
        prop_assert_eq!(held, expected);
        let tokens = ledger.revoked_tokens.iter();
        let dead: Vec<_> = tokens.map(|token| (token.jti.clone(), token.expires_at)).collect();
        prop_assert_eq!(&dead, &self.dead);
        let used: Vec<_> =
            ledger.consumed.iter().map(|once| Once::new(once.id, once.until)).collect();
        prop_assert_eq!(&used, &self.used);
        Ok(())
    }

    fn grow_old(&mut self, now: Millis, events: &mut Events) {
        self.sessions.iter_mut().for_each(|past| past.grow_old(now, events));
    }

    fn past(&mut self, id: SessionId) -> Option<&mut Past> {
        self.sessions.iter_mut().find(|past| past.id == id)
    }

    /// The session, if it lives.
    fn alive(
        &mut self,
        id: SessionId,
        now: Millis,
        events: &mut Events,
    ) -> Result<&mut Past, Refusal> {
        let past = self.past(id).ok_or(Refusal::UnknownSession)?;
        past.grow_old(now, events);
        past.over.map_or(Ok(past), |(_, reason)| Err(Refusal::SessionEnded(reason)))
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
        if self.sessions.iter().any(|past| past.forbids(create)) {
            events.push((AuditKind::ProofStale, None));
            return Outcome::Refused(Refusal::StaleProof);
        }
        for past in &mut self.sessions {
            if past.same_sign_in(create)
                && past.key == create.key
                && past.over.is_none()
                && now + create.fresh_for < past.last_day
            {
                let scopes = (!create.scopes_by_default).then_some(&create.scopes);
                let resources = (!create.resources_by_default).then_some(&create.resources);
                if scopes.is_some_and(|asked| asked.iter().any(|one| !past.scopes.contains(one))) {
                    return Outcome::Refused(Refusal::ScopeNotGranted);
                }
                let mut asked = resources.into_iter().flatten();
                if asked.any(|one| !past.resources.contains(one)) {
                    return Outcome::Refused(Refusal::ResourceNotGranted);
                }
                let stale = now + create.fresh_for >= past.last().at + policy.access_token
                    || past.withdrawn == past.issued.len()
                    || past.subject != create.subject;
                if stale {
                    past.replace(create.key_id, now, events);
                    past.subject = create.subject.clone();
                } else {
                    past.use_at(now);
                    events.push((AuditKind::SessionResumed, Some(past.id)));
                }
                return past.issue(scopes, resources, !stale);
            }
        }
        let (before, told) = (self.sessions.clone(), events.len());
        let all = SessionLimit { max: policy.max_sessions, on_limit: policy.on_limit };
        let limits = [policy.client_limit.map(|limit| (limit, true)), Some((all, false))];
        for (limit, of_client) in limits.into_iter().flatten() {
            let counts = |past: &Past| {
                past.over.is_none() && (!of_client || past.client == create.client_id)
            };
            while self.sessions.iter().filter(|past| counts(past)).count()
                >= usize::from(limit.max).max(1)
            {
                if limit.on_limit == OnLimit::Deny {
                    self.sessions = before;
                    events.truncate(told);
                    events.push((AuditKind::SessionDenied, None));
                    return Outcome::Refused(Refusal::SessionLimit);
                }
                let alive = self.sessions.iter_mut().filter(|past| counts(past));
                let Some(idlest) = alive.min_by_key(|past| (past.seen, past.born)) else { break };
                idlest.finish(now, EndReason::Evicted, events);
            }
        }
        let offline = create.scopes.iter().any(|scope| scope == "offline_access");
        let past = Past {
            id: name,
            subject: create.subject.clone(),
            client: create.client_id.clone(),
            external: create.external_id.clone(),
            code: create.code.map(|code| code.id),
            key: create.key.clone(),
            scopes: create.scopes.clone(),
            resources: create.resources.clone(),
            born: now,
            seen: now,
            idle: if offline { policy.offline_idle } else { policy.idle },
            last_day: now + if offline { policy.offline_absolute } else { policy.absolute },
            not_before: policy.not_before,
            over: None,
            issued: vec![Entry { number: (0, 0), at: now, key_id: create.key_id }],
            withdrawn: 0,
            suspicion: Suspicion::new(&create.signals),
            refreshes: vec![],
            grant: None,
        };
        events.push((AuditKind::SessionCreated, Some(name)));
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
        let Self { sessions, quota, .. } = self;
        let Some(past) = sessions.iter_mut().find(|past| past.id == refresh.session) else {
            return Outcome::Refused(Refusal::UnknownSession);
        };
        if past.client != refresh.client_id {
            events.push((AuditKind::ForeignClient, Some(past.id)));
            return Outcome::Refused(Refusal::ForeignClient);
        }
        past.grow_old(now, events);
        if let Some((_, reason)) = past.over {
            return Outcome::Refused(Refusal::SessionEnded(reason));
        }
        let (scopes, resources) = (refresh.scopes.as_ref(), refresh.resources.as_ref());
        if scopes.is_some_and(|asked| asked.iter().any(|one| !past.scopes.contains(one))) {
            events.push((AuditKind::ScopeRefused, Some(past.id)));
            return Outcome::Refused(Refusal::ScopeNotGranted);
        }
        if resources.is_some_and(|asked| asked.iter().any(|one| !past.resources.contains(one))) {
            events.push((AuditKind::ResourceRefused, Some(past.id)));
            return Outcome::Refused(Refusal::ResourceNotGranted);
        }
        if past.key != refresh.key {
            events.push((AuditKind::KeyRefused, Some(past.id)));
            return Outcome::Refused(Refusal::WrongKey);
        }
        if policy.on_device_change == OnChange::Refuse
            && past.suspicion.is_other_device(&refresh.signals)
        {
            events.push((AuditKind::DeviceRefused, Some(past.id)));
            return Outcome::Refused(Refusal::DeviceChanged);
        }
        if policy.on_network_change == OnChange::Refuse
            && past.suspicion.is_other_network(&refresh.signals)
        {
            events.push((AuditKind::NetworkRefused, Some(past.id)));
            return Outcome::Refused(Refusal::NetworkChanged);
        }
        past.turn(refresh, now, policy, quota, events)
            .unwrap_or_else(|repeated: bool| past.issue(scopes, resources, repeated))
    }

    fn extend(
        &mut self,
        extend: &Extend,
        now: Millis,
        policy: &Policy,
        events: &mut Events,
    ) -> Outcome {
        let Self { sessions, quota, .. } = self;
        let Some(past) = sessions.iter_mut().find(|past| past.id == extend.session) else {
            return Outcome::Refused(Refusal::UnknownSession);
        };
        if past.client != extend.client_id {
            events.push((AuditKind::ForeignClient, Some(past.id)));
            return Outcome::Refused(Refusal::ForeignClient);
        }
        past.grow_old(now, events);
        if let Some((_, reason)) = past.over {
            return Outcome::Refused(Refusal::SessionEnded(reason));
        }
        let (generation, counter) = past.last().number;
        if generation > 0 && counter == 0 && past.is_young(now, policy) {
            past.use_at(now);
            return past.issue(None, None, true);
        }
        if let Err(limited) = quota.spend(Class::Refresh, now, policy) {
            return Outcome::Limited(limited);
        }
        let number = (generation + 1, 0);
        past.issued.push(Entry { number, at: now, key_id: extend.key_id });
        past.seen = now;
        past.suspicion.replays = 0;
        past.follow();
        events.push((AuditKind::SessionExtended, Some(past.id)));
        past.issue(None, None, false)
    }

    fn check(
        &mut self,
        check: &Check,
        now: Millis,
        policy: &Policy,
        events: &mut Events,
    ) -> Outcome {
        let dead = self.dead.clone();
        let Some(past) = self.past(check.session) else {
            return Outcome::Inactive(Inactive::Unknown);
        };
        past.grow_old(now, events);
        if let Some((_, reason)) = past.over {
            return Outcome::Inactive(Inactive::Ended(reason));
        }
        match &check.credential {
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
        if check.key.is_some() && past.key.is_some() && past.key != check.key {
            events.push((AuditKind::KeyRefused, Some(past.id)));
            return Outcome::Refused(Refusal::WrongKey);
        }
        past.use_at(now);
        Outcome::Active(Standing {
            subject: past.subject.clone(),
            client_id: past.client.clone(),
            scopes: past.scopes.clone(),
            resources: past.resources.clone(),
            rotated_at: past.last().at,
            expires_at: past.end(),
            key: past.key.clone(),
        })
    }

    fn revoke_token(
        &mut self,
        revoke: &Revoke,
        now: Millis,
        policy: &Policy,
        events: &mut Events,
    ) -> Outcome {
        let mut dead = std::mem::take(&mut self.dead);
        let Self { sessions, quota, .. } = self;
        let outcome = match sessions.iter_mut().find(|past| past.id == revoke.session) {
            None => Outcome::Revoked { sessions: 0 },
            Some(past) if past.client != revoke.client_id => {
                events.push((AuditKind::ForeignClient, Some(past.id)));
                Outcome::Refused(Refusal::ForeignClient)
            }
            Some(past) => {
                past.grow_old(now, events);
                match &revoke.credential {
                    _ if past.over.is_some() => Outcome::Revoked { sessions: 0 },
                    Credential::Access { jti, expires_at } if !revoke.cascade => {
                        if now >= *expires_at || dead.iter().any(|(one, _)| one == jti) {
                            Outcome::Revoked { sessions: 0 }
                        } else if let Err(limited) = quota.spend(Class::Revoke, now, policy) {
                            Outcome::Limited(limited)
                        } else {
                            dead.push((jti.clone(), *expires_at));
                            past.withdrawn = past.issued.len();
                            events.push((AuditKind::TokenRevoked, Some(past.id)));
                            Outcome::Revoked { sessions: 0 }
                        }
                    }
                    _ => match quota.spend(Class::Revoke, now, policy) {
                        Err(limited) => Outcome::Limited(limited),
                        Ok(()) => {
                            past.finish(now, EndReason::Revoked, events);
                            Outcome::Revoked { sessions: 1 }
                        }
                    },
                }
            }
        };
        self.dead = dead;
        outcome
    }

    /// Whatever has an effect first pays for all.
    fn revoke_many(
        &mut self,
        tokens: &[Revoke],
        now: Millis,
        policy: &Policy,
        events: &mut Events,
    ) -> Outcome {
        let (mut policy, mut each) = (policy.clone(), Vec::new());
        for token in tokens {
            let before = self.quota.clone();
            let outcome = self.revoke_token(token, now, &policy, events);
            if let Outcome::Limited(_) = outcome {
                return outcome;
            }
            if self.quota != before {
                policy.limits.revoke = 0;
            }
            each.push(outcome);
        }
        Outcome::Each(each)
    }

    fn revoke_session(
        &mut self,
        id: SessionId,
        now: Millis,
        policy: &Policy,
        events: &mut Events,
    ) -> Outcome {
        let Self { sessions, quota, .. } = self;
        let Some(past) = sessions.iter_mut().find(|past| past.id == id) else {
            return Outcome::Refused(Refusal::UnknownSession);
        };
        past.grow_old(now, events);
        if let Some((at, reason)) = past.over {
            let by_somebody = [EndReason::Revoked, EndReason::RevokedAll].contains(&reason);
            return if by_somebody && now < at + 60_000 {
                Outcome::Revoked { sessions: 0 }
            } else {
                Outcome::Refused(Refusal::SessionEnded(reason))
            };
        }
        if let Err(limited) = quota.spend(Class::Delete, now, policy) {
            return Outcome::Limited(limited);
        }
        past.finish(now, EndReason::Revoked, events);
        Outcome::Revoked { sessions: 1 }
    }

    fn list(&mut self, now: Millis, policy: &Policy, events: &mut Events) -> Outcome {
        self.grow_old(now, events);
        if !self.sessions.is_empty()
            && let Err(limited) = self.quota.spend(Class::List, now, policy)
        {
            return Outcome::Limited(limited);
        }
        let mut alive: Vec<&Past> =
            self.sessions.iter().filter(|past| past.over.is_none()).collect();
        alive.sort_by_key(|past| (Reverse(past.seen), Reverse(past.born)));
        let view = |past: &Past| SessionView {
            id: past.id,
            client_id: past.client.clone(),
            device: Device { label: "test".to_owned(), fingerprint: past.suspicion.device },
            network: past.suspicion.network.clone(),
            country: past.suspicion.country.clone(),
            external_id: past.external.clone(),
            risk: Risk::default(),
            refreshes: past.refreshes.clone(),
            upstream: past.grant.as_ref().map(Grant::state),
            scopes: past.scopes.clone(),
            created_at: past.born,
            last_seen_at: past.seen,
            idle_end: past.end(),
            absolute_end: past.last_day,
        };
        Outcome::Sessions(alive.into_iter().map(view).collect())
    }
}

/// What a command uses up, the code first.
pub(crate) fn once_of(command: &Command) -> Vec<Once> {
    match command {
        Command::CreateSession(create) => create.code.into_iter().chain(create.proof).collect(),
        Command::Refresh(refresh) => refresh.proof.into_iter().collect(),
        Command::Check(check) => check.proof.into_iter().collect(),
        Command::Consume { once } => once.clone(),
        _ => Vec::new(),
    }
}
