use crate::once;
use crate::rotation::{rotate, within};
use crate::step::Step;
use crate::{
    AuditKind, Class, CreateSession, Device, EndReason, Ledger, Millis, OnLimit, Outcome, Policy,
    Refusal, RiskMemory, Seen, Session, SessionId, SessionLimit, SessionView, State, Window,
};

const OFFLINE_ACCESS: &str = "offline_access";

/// When the next [`Sweep`](crate::Command::Sweep) has work: the earliest timeout of an active
/// session, end of memory of an ended one, expiry of a revoked token, or of the last of what was used up.
/// Where there is none of that, the end of what was spent of rate limits; elsewhere that waits for a
/// sweep that comes anyway. `None`: never. When the outbox is delivered is for the store to say, and for
/// announcements see [`Webhooks::next_due`](crate::Webhooks::next_due).
pub fn next_due(ledger: &Ledger, policy: &Policy) -> Option<Millis> {
    let sessions = ledger.sessions.iter().map(|session| match session.ended() {
        None => session.deadline(policy).0,
        Some((at, _)) => at.saturating_add(policy.revocation_memory),
    });
    let tokens = ledger.revoked_tokens.iter().map(|token| token.expires_at);
    let spent = || ledger.windows.iter().map(Window::end).min();
    sessions.chain(tokens).chain(once::due(ledger)).min().or_else(spent)
}

/// See [`Command::CreateSession`](crate::Command::CreateSession).
pub(crate) fn create(
    ledger: &mut Ledger,
    command: CreateSession,
    step: &mut Step<'_>,
    random: &mut dyn FnMut(&mut [u8]),
) -> Outcome {
    ledger.sessions.iter_mut().for_each(|session| step.expire(session));
    let code = command.code.map(|code| code.id);
    let started = |session: &&Session| code.is_some() && session.code == code;
    if let Some(session) = ledger.sessions.iter().find(started) {
        return sent_again(session);
    }
    // Before the active session is looked for: a proof that the end of one session made worthless
    // must not fetch the tokens of the next one either.
    if ledger.sessions.iter().any(|session| outdates(session, &command)) {
        step.tell_of_none(AuditKind::ProofStale, Some(&command.client_id));
        return Outcome::Refused(Refusal::StaleProof);
    }
    let mut active = ledger.sessions.iter_mut().filter(|session| session.is_active());
    if let Some(session) = active.find(|session| is_started_by(session, &command, step.now)) {
        return repeat(session, &command, step);
    }
    if !make_room(ledger, &command.client_id, step) {
        step.tell_of_none(AuditKind::SessionDenied, Some(&command.client_id));
        return Outcome::Refused(Refusal::SessionLimit);
    }
    let mut name = [0; 16];
    random(&mut name);
    ledger.owner.get_or_insert_with(|| command.subject.id.clone());
    let session = begin(SessionId::from_bytes(name), command, step);
    let issue = session.issue(session.scopes.clone(), session.resources.clone(), false);
    ledger.sessions.push(session);
    Outcome::Issued(issue)
}

/// See [`Command::List`](crate::Command::List).
pub(crate) fn list(ledger: &mut Ledger, step: &mut Step<'_>) -> Outcome {
    ledger.sessions.iter_mut().for_each(|session| step.expire(session));
    // A ledger of nobody is listed by health checks, and must not be written for it.
    if !ledger.sessions.is_empty()
        && let Err(limited) = step.spend(Class::List)
    {
        return limited.into();
    }
    let active = ledger.sessions.iter().filter(|session| session.is_active());
    let mut views: Vec<SessionView> = active.map(|session| view(session, step)).collect();
    views.sort_by_key(|view| std::cmp::Reverse((view.last_seen_at, view.created_at)));
    Outcome::Sessions(views)
}

/// See [`Command::Sweep`](crate::Command::Sweep).
pub(crate) fn sweep(ledger: &mut Ledger, step: &mut Step<'_>) -> Outcome {
    ledger.sessions.iter_mut().for_each(|session| step.expire(session));
    let (sessions, tokens) = (ledger.sessions.len(), ledger.revoked_tokens.len());
    let memory = step.policy.revocation_memory;
    ledger.sessions.retain(|session| match session.ended() {
        Some((at, _)) if at.saturating_add(memory) <= step.now => {
            step.tell(AuditKind::SessionForgotten, session);
            false
        }
        _ => true,
    });
    ledger.revoked_tokens.retain(|token| token.expires_at > step.now);
    if once::due(ledger).is_some_and(|due| due <= step.now) {
        once::forget(ledger, step);
    }
    step.changed |= (sessions, tokens) != (ledger.sessions.len(), ledger.revoked_tokens.len());
    if ledger.has_nothing_to_end() {
        let windows = step.windows.len();
        step.windows.retain(|window| !window.is_over(step.now));
        step.changed |= windows != step.windows.len();
    }
    Outcome::Swept
}

/// Keeps the number of ended sessions at [`Ledger::MAX_ENDED`].
pub(crate) fn forget_surplus(ledger: &mut Ledger, step: &mut Step<'_>) {
    let ended = ledger.sessions.iter().filter(|session| !session.is_active()).count();
    for _ in Ledger::MAX_ENDED..ended {
        let ends = ledger.sessions.iter().enumerate();
        let first = ends.filter_map(|(index, session)| Some((session.ended()?.0, index))).min();
        if let Some((_, index)) = first {
            step.tell(AuditKind::SessionForgotten, &ledger.sessions.remove(index));
        }
    }
}

/// The same command once more, as its answer was lost: nobody else gets here with a code that has started a
/// session. Nobody holds its tokens yet, unless the first answer has arrived after all.
fn sent_again(session: &Session) -> Outcome {
    if session.is_active() && (session.generation, session.counter) == (0, 0) {
        Outcome::Issued(session.issue(session.scopes.clone(), session.resources.clone(), true))
    } else {
        Outcome::Refused(Refusal::Replayed)
    }
}

/// The same sign-in once more: the tokens that its session has now. They are rotated first if the
/// access token among them is of no use: it has expired, may have been revoked, or speaks of an
/// organization or roles that the person has left. A new counter gives it a new `jti`.
fn repeat(session: &mut Session, command: &CreateSession, step: &mut Step<'_>) -> Outcome {
    let asked = (!command.scopes_by_default).then_some(command.scopes.as_slice());
    let Some(scopes) = within(&session.scopes, asked) else {
        return Outcome::Refused(Refusal::ScopeNotGranted);
    };
    let asked = (!command.resources_by_default).then_some(command.resources.as_slice());
    let Some(resources) = within(&session.resources, asked) else {
        return Outcome::Refused(Refusal::ResourceNotGranted);
    };
    let fresh_until = step.now.saturating_add(command.fresh_for);
    let young = fresh_until < session.rotated_at.saturating_add(step.policy.access_token);
    if young && !session.access_revoked && session.subject == command.subject {
        step.touch(session);
        step.tell(AuditKind::SessionResumed, session);
        return Outcome::Issued(session.issue(scopes, resources, true));
    }
    match rotate(session, command.key_id, step) {
        Ok(repeated) => {
            session.subject = command.subject.clone();
            Outcome::Issued(session.issue(scopes, resources, repeated))
        }
        Err(refusal) => Outcome::Refused(refusal),
    }
}

/// Whether the end of this session made the proof worthless. A sign-out at the provider does for all
/// clients; for a code, which is issued on the strength of a sign-in and perhaps long after it, whenever
/// that was.
fn outdates(session: &Session, command: &CreateSession) -> bool {
    let Some((at, reason)) = session.ended() else { return false };
    let same = command.external_id.is_some() && session.external_id == command.external_id;
    let older = command.authenticated_at <= at;
    if command.code.is_some() {
        return same && reason == EndReason::SignedOut || reason == EndReason::RevokedAll && older;
    }
    let own = session.code.is_none() && session.client_id == command.client_id;
    same && older && (own || reason == EndReason::SignedOut)
}

/// Whether the same sign-in by the same client, and with the same key, has started it, and it does not end
/// before the tokens that are wanted.
fn is_started_by(session: &Session, command: &CreateSession, now: Millis) -> bool {
    now.saturating_add(command.fresh_for) < session.absolute_end
        && command.code.is_none()
        && session.code.is_none()
        && command.external_id.is_some()
        && session.external_id == command.external_id
        && session.client_id == command.client_id
        && session.key == command.key
}

/// Evicts until one more session fits; `false` if the policy denies the newcomer instead. Nobody is
/// evicted for a newcomer that is then denied.
fn make_room(ledger: &mut Ledger, client_id: &str, step: &mut Step<'_>) -> bool {
    let Policy { max_sessions, on_limit, client_limit, .. } = *step.policy;
    let all = SessionLimit { max: max_sessions, on_limit };
    let mut active: Vec<&mut Session> =
        ledger.sessions.iter_mut().filter(|session| session.is_active()).collect();
    active.sort_by_key(|session| (session.last_seen_at, session.created_at));
    let own = |session: &Session| session.client_id == client_id;
    let of_client = active.iter().filter(|session| own(session)).count();
    let Some(from_client) = client_limit.map_or(Some(0), |limit| surplus(limit, of_client)) else {
        return false;
    };
    let Some(from_all) = surplus(all, active.len() - from_client) else { return false };
    let (mut of_own, mut of_any) = (from_client, from_all);
    for session in active {
        if of_own > 0 && own(session) {
            of_own -= 1;
        } else if of_any > 0 {
            of_any -= 1;
        } else {
            continue;
        }
        step.end(session, EndReason::Evicted);
    }
    true
}

/// How many of the sessions must go for one more; `None` if the newcomer is denied.
fn surplus(limit: SessionLimit, active: usize) -> Option<usize> {
    let surplus = (active + 1).saturating_sub(usize::from(limit.max.max(1)));
    (surplus == 0 || limit.on_limit == OnLimit::EvictLongestIdle).then_some(surplus)
}

fn begin(id: SessionId, command: CreateSession, step: &mut Step<'_>) -> Session {
    let (idle, absolute) = lifetimes(&command.scopes, step.policy);
    let signals = command.signals.bounded();
    let session = Session {
        id,
        subject: command.subject,
        client_id: command.client_id,
        scopes: command.scopes,
        resources: command.resources,
        device: Device {
            fingerprint: command.device.fingerprint.or(signals.fingerprint),
            ..command.device
        },
        seen: Seen::first(&signals, step.now),
        network: signals.network,
        risk: RiskMemory::default(),
        refreshes: vec![],
        external_id: command.external_id,
        code: command.code.map(|code| code.id),
        key: command.key,
        upstream: None,
        created_at: step.now,
        last_seen_at: step.now,
        idle,
        absolute_end: step.now.saturating_add(absolute),
        generation: 0,
        counter: 0,
        key_id: command.key_id,
        extended_from: None,
        rotated_at: step.now,
        grace: None,
        replays: 0,
        access_revoked: false,
        state: State::Active,
        end_note: None,
    };
    step.changed = true;
    step.tell(AuditKind::SessionCreated, &session);
    session
}

/// Idle and absolute.
fn lifetimes(scopes: &[String], policy: &Policy) -> (Millis, Millis) {
    if scopes.iter().any(|scope| scope == OFFLINE_ACCESS) {
        (policy.offline_idle, policy.offline_absolute)
    } else {
        (policy.idle, policy.absolute)
    }
}

fn view(session: &Session, step: &Step<'_>) -> SessionView {
    SessionView {
        id: session.id,
        client_id: session.client_id.clone(),
        device: session.device.clone(),
        network: session.network.clone(),
        country: session.seen.country.clone(),
        external_id: session.external_id.clone(),
        risk: session.risk.at(step.now),
        refreshes: session.refreshes.clone(),
        upstream: session.upstream.as_ref().map(|grant| grant.state),
        scopes: session.scopes.clone(),
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        idle_end: session.deadline(step.policy).0,
        absolute_end: session.absolute_end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{
        MINUTE, NOW, id, kinds, ledger, refresh, run, run_by, session, sign_in, strings,
    };
    use crate::{Applied, Command, Credential, Issue, Revoke, RevokedToken, Subject};

    fn create(ledger: &mut Ledger, command: CreateSession, now: Millis) -> Applied {
        run(ledger, Command::CreateSession(command), now)
    }

    fn issued(applied: &Applied) -> &Issue {
        match &applied.outcome {
            Outcome::Issued(issue) => issue,
            other => panic!("not issued: {other:?}"),
        }
    }

    fn ended(at: Millis) -> State {
        State::Ended { at, reason: EndReason::Revoked }
    }

    #[test]
    fn a_session_begins_at_counter_zero_with_the_times_of_the_policy() {
        let mut ledger = Ledger::default();
        let applied = create(&mut ledger, sign_in(Some("x"), NOW), NOW);
        let expected = Session { external_id: Some("x".to_owned()), ..session(100) };
        assert_eq!(ledger.sessions, [expected]);
        let issue = issued(&applied);
        assert_eq!((issue.session, issue.counter, issue.key_id), (id(100), 0, 1));
        assert_eq!((issue.issued_at, issue.repeated), (NOW, false));
        assert_eq!(kinds(&applied), [AuditKind::SessionCreated]);
    }

    #[test]
    fn the_same_sign_in_rotates_once_its_access_token_has_expired() {
        let mut ledger = Ledger::default();
        create(&mut ledger, sign_in(Some("x"), NOW), NOW);
        let later = NOW + Policy::default().access_token;
        let before = create(&mut ledger, sign_in(Some("x"), later), later - 1);
        assert_eq!((issued(&before).counter, issued(&before).repeated), (0, true));
        let after = create(&mut ledger, sign_in(Some("x"), later), later);
        assert_eq!((issued(&after).counter, issued(&after).repeated), (1, false));
        assert_eq!(kinds(&after), [AuditKind::TokenRotated]);
    }

    #[test]
    fn the_same_sign_in_rotates_earlier_for_whoever_needs_a_fresh_token() {
        let mut ledger = Ledger::default();
        let asked = CreateSession { fresh_for: 5 * MINUTE, ..sign_in(Some("x"), NOW) };
        create(&mut ledger, asked.clone(), NOW);
        let later = NOW + Policy::default().access_token - 5 * MINUTE;
        assert!(issued(&create(&mut ledger, asked.clone(), later - 1)).repeated);
        assert_eq!(issued(&create(&mut ledger, asked.clone(), later)).counter, 1);
        ledger.sessions[0].absolute_end = later + 5 * MINUTE;
        create(&mut ledger, asked, later);
        assert_eq!(ledger.sessions.len(), 2, "and another session if it is about to end");
    }

    #[test]
    fn the_same_sign_in_with_another_key_is_another_session() {
        let mut ledger = Ledger::default();
        for (key, sessions) in [(None, 1), (Some("one"), 2), (Some("two"), 3), (Some("one"), 3)] {
            let key = key.map(str::to_owned);
            let command = CreateSession { key: key.clone(), ..sign_in(Some("x"), NOW) };
            create(&mut ledger, command, NOW);
            assert_eq!(ledger.sessions.len(), sessions, "{key:?}");
        }
    }

    #[test]
    fn offline_access_has_its_own_times() {
        let policy = Policy::default();
        let mut ledger = Ledger::default();
        let offline =
            CreateSession { scopes: strings(&["a", "offline_access"]), ..sign_in(None, 0) };
        create(&mut ledger, offline, NOW);
        assert_eq!(ledger.sessions[0].idle, policy.offline_idle);
        assert_eq!(ledger.sessions[0].absolute_end, NOW + policy.offline_absolute);
    }

    #[test]
    fn the_same_sign_in_yields_the_same_session_at_its_current_counter() {
        let mut ledger = Ledger::default();
        let first = issued(&create(&mut ledger, sign_in(Some("x"), NOW), NOW)).clone();
        let again = CreateSession { key_id: 9, ..sign_in(Some("x"), NOW) };
        let applied = create(&mut ledger, again.clone(), NOW + 1);
        assert_eq!(*issued(&applied), Issue { repeated: true, ..first });
        assert_eq!(kinds(&applied), [AuditKind::SessionResumed]);
        assert!(!applied.changed);
        let rotation = run(&mut ledger, Command::Refresh(refresh(100, 0)), NOW + 2);
        let applied = create(&mut ledger, again, NOW + 2 + MINUTE);
        assert_eq!(*issued(&applied), Issue { repeated: true, ..issued(&rotation).clone() });
        assert_eq!(ledger.sessions[0].last_seen_at, NOW + 2 + MINUTE, "it counts as use");
    }

    #[test]
    fn another_client_or_sign_in_or_none_yields_another_session() {
        let mut ledger = Ledger::default();
        let other = CreateSession { client_id: "other".to_owned(), ..sign_in(Some("x"), NOW) };
        for command in [
            sign_in(Some("x"), NOW),
            other,
            sign_in(Some("y"), NOW),
            sign_in(None, NOW),
            sign_in(None, NOW),
        ] {
            assert!(!issued(&create(&mut ledger, command, NOW)).repeated);
        }
        assert_eq!(ledger.sessions.len(), 5);
    }

    #[test]
    fn a_repeated_sign_in_narrows_but_does_not_widen() {
        let mut ledger = Ledger::default();
        create(&mut ledger, sign_in(Some("x"), NOW), NOW);
        let again = sign_in(Some("x"), NOW);
        let narrow =
            CreateSession { scopes: strings(&["b"]), resources: strings(&["r2"]), ..again.clone() };
        let applied = create(&mut ledger, narrow, NOW);
        assert_eq!(issued(&applied).scopes, strings(&["b"]));
        assert_eq!(issued(&applied).resources, strings(&["r2"]));
        let wide = CreateSession { scopes: strings(&["a", "c"]), ..again.clone() };
        let refused = create(&mut ledger, wide, NOW + 2 * MINUTE);
        assert_eq!(refused.outcome, Outcome::Refused(Refusal::ScopeNotGranted));
        assert!(!refused.changed);
        let wide = CreateSession { resources: strings(&["r3"]), ..again };
        let refused = create(&mut ledger, wide, NOW + 2 * MINUTE);
        assert_eq!(refused.outcome, Outcome::Refused(Refusal::ResourceNotGranted));
        assert!(!refused.changed);
    }

    #[test]
    fn a_repeated_sign_in_that_asks_for_nothing_gets_what_its_session_was_granted() {
        let mut ledger = Ledger::default();
        let narrow = CreateSession {
            scopes: strings(&["b"]),
            resources: strings(&["r2"]),
            ..sign_in(Some("x"), NOW)
        };
        create(&mut ledger, narrow, NOW);
        let plain = CreateSession {
            scopes_by_default: true,
            resources_by_default: true,
            ..sign_in(Some("x"), NOW)
        };
        let applied = create(&mut ledger, plain.clone(), NOW);
        assert_eq!(issued(&applied).scopes, strings(&["b"]));
        assert_eq!(issued(&applied).resources, strings(&["r2"]));
        let fresh = create(&mut Ledger::default(), plain, NOW);
        assert_eq!(issued(&fresh).scopes, strings(&["a", "b"]));
        assert_eq!(issued(&fresh).resources, strings(&["r1", "r2"]));
    }

    #[test]
    fn the_session_follows_the_person_to_another_organization_and_other_roles() {
        let mut ledger = Ledger::default();
        create(&mut ledger, sign_in(Some("x"), NOW), NOW);
        let mut subject = ledger.sessions[0].subject.clone();
        for (counter, organization, roles) in
            [(1, Some("org"), &["member"][..]), (2, Some("org"), &["admin"]), (3, None, &[])]
        {
            let organization = organization.map(str::to_owned);
            subject = Subject { organization, roles: strings(roles), ..subject };
            let moved = CreateSession { subject: subject.clone(), ..sign_in(Some("x"), NOW) };
            for repeated in [false, true] {
                let applied = create(&mut ledger, moved.clone(), NOW + 1);
                let issue = issued(&applied);
                assert_eq!((issue.counter, issue.repeated), (counter, repeated));
                assert_eq!((issue.session, &issue.subject), (id(100), &subject));
            }
            assert_eq!(ledger.sessions[0].subject, subject);
        }
        let applied = run(&mut ledger, Command::Refresh(refresh(100, 3)), NOW + 2);
        assert_eq!(issued(&applied).subject, subject);
    }

    #[test]
    fn a_repeated_sign_in_does_not_bring_a_revoked_access_token_back() {
        let mut ledger = Ledger::default();
        create(&mut ledger, sign_in(Some("x"), NOW), NOW);
        let revoke = Revoke {
            session: id(100),
            credential: Credential::Access { jti: "j".to_owned(), expires_at: NOW + MINUTE },
            client_id: "app".to_owned(),
            cascade: false,
            reason: None,
        };
        run(&mut ledger, Command::RevokeToken(revoke), NOW);
        for repeated in [false, true] {
            let applied = create(&mut ledger, sign_in(Some("x"), NOW), NOW);
            assert_eq!((issued(&applied).counter, issued(&applied).repeated), (1, repeated));
        }
    }

    #[test]
    fn a_proof_from_before_the_end_cannot_start_another_session() {
        let mut ledger = Ledger::default();
        create(&mut ledger, sign_in(Some("x"), NOW), NOW);
        let end = NOW + 500;
        run(&mut ledger, Command::RevokeSession { session: id(100), reason: None }, end);
        for proof in [0, NOW, end] {
            let applied = create(&mut ledger, sign_in(Some("x"), proof), end + 9);
            assert_eq!(applied.outcome, Outcome::Refused(Refusal::StaleProof));
            assert!(!applied.changed);
        }
        let applied = create(&mut ledger, sign_in(Some("x"), NOW + 1_000), end + 1_000);
        assert!(!issued(&applied).repeated);
    }

    #[test]
    fn a_proof_from_before_an_end_cannot_fetch_the_tokens_of_the_next_session() {
        let mut ledger = ledger(&[1, 2]);
        for session in &mut ledger.sessions {
            session.external_id = Some("x".to_owned());
        }
        ledger.sessions[0].state = ended(NOW - 5);
        let applied = create(&mut ledger, sign_in(Some("x"), NOW - 5), NOW);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::StaleProof));
        let applied = create(&mut ledger, sign_in(Some("x"), NOW - 4), NOW);
        assert_eq!(issued(&applied).session, id(2));
    }

    #[test]
    fn a_proof_from_after_a_timeout_starts_a_session_also_if_nobody_noticed_the_timeout() {
        let mut ledger = Ledger::default();
        create(&mut ledger, sign_in(Some("x"), NOW), NOW);
        let end = ledger.sessions[0].idle_end();
        let stale = create(&mut ledger.clone(), sign_in(Some("x"), end), end + 100);
        assert_eq!(stale.outcome, Outcome::Refused(Refusal::StaleProof));
        let expected = [AuditKind::SessionIdle, AuditKind::ProofStale];
        assert_eq!(kinds(&stale), expected);
        let applied = create(&mut ledger, sign_in(Some("x"), end + 1), end + 100);
        assert!(!issued(&applied).repeated);
        assert_eq!(ledger.sessions.len(), 2);
    }

    #[test]
    fn the_longest_idle_session_is_evicted_at_the_limit() {
        let policy = Policy { max_sessions: 3, ..Policy::default() };
        let mut ledger = ledger(&[1, 2, 3]);
        ledger.sessions[1].last_seen_at = NOW - 1;
        let applied = run_by(&mut ledger, Command::CreateSession(sign_in(None, NOW)), NOW, &policy);
        let expected = [AuditKind::of_end(EndReason::Evicted), AuditKind::SessionCreated];
        assert_eq!(kinds(&applied), expected);
        assert_eq!(ledger.sessions[1].ended(), Some((NOW, EndReason::Evicted)));
        assert_eq!(ledger.sessions.iter().filter(|session| session.is_active()).count(), 3);
    }

    /// The sessions 1 to 3, the first of another client and used least.
    fn of_two_clients() -> Ledger {
        let mut ledger = ledger(&[1, 2, 3]);
        ledger.sessions[0].client_id = "other".to_owned();
        ledger.sessions[0].last_seen_at = NOW - 2;
        ledger.sessions[1].last_seen_at = NOW - 1;
        ledger
    }

    fn limited(all: u16, own: u16, on_limit: OnLimit) -> Policy {
        let client_limit = Some(SessionLimit { max: own, on_limit });
        Policy { max_sessions: all, client_limit, ..Policy::default() }
    }

    fn active(ledger: &Ledger) -> Vec<bool> {
        ledger.sessions.iter().map(Session::is_active).collect()
    }

    #[test]
    fn a_clients_own_limit_evicts_its_own_sessions_only() {
        let mut ledger = of_two_clients();
        let policy = limited(10, 2, OnLimit::EvictLongestIdle);
        run_by(&mut ledger, Command::CreateSession(sign_in(None, NOW)), NOW, &policy);
        assert_eq!(active(&ledger), [true, false, true, true]);
        let mut ledger = of_two_clients();
        let policy = limited(2, 2, OnLimit::EvictLongestIdle);
        run_by(&mut ledger, Command::CreateSession(sign_in(None, NOW)), NOW, &policy);
        assert_eq!(active(&ledger), [false, false, true, true], "both limits hold");
    }

    #[test]
    fn a_client_that_denies_evicts_nobody_and_leaves_others_room() {
        let mut ledger = of_two_clients();
        let policy = limited(2, 2, OnLimit::Deny);
        let applied = run_by(&mut ledger, Command::CreateSession(sign_in(None, NOW)), NOW, &policy);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::SessionLimit));
        assert_eq!(active(&ledger), [true, true, true]);
        let other = CreateSession { client_id: "other".to_owned(), ..sign_in(None, NOW) };
        let policy = limited(10, 2, OnLimit::Deny);
        let applied = run_by(&mut ledger, Command::CreateSession(other), NOW, &policy);
        assert!(matches!(applied.outcome, Outcome::Issued(_)));
    }

    #[test]
    fn a_lowered_limit_evicts_several_and_zero_means_one() {
        let policy = Policy { max_sessions: 0, ..Policy::default() };
        let mut ledger = ledger(&[1, 2, 3]);
        run_by(&mut ledger, Command::CreateSession(sign_in(None, NOW)), NOW, &policy);
        let active: Vec<_> = ledger.sessions.iter().map(Session::is_active).collect();
        assert_eq!(active, [false, false, false, true]);
    }

    #[test]
    fn the_newcomer_is_denied_at_the_limit_if_the_policy_says_so() {
        let policy = Policy { max_sessions: 2, on_limit: OnLimit::Deny, ..Policy::default() };
        let mut ledger = ledger(&[1, 2]);
        let command = Command::CreateSession(sign_in(None, NOW));
        let applied = run_by(&mut ledger, command.clone(), NOW, &policy);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::SessionLimit));
        assert_eq!(kinds(&applied), [AuditKind::SessionDenied]);
        assert_eq!(ledger.sessions.len(), 2);
        ledger.sessions[0].state = ended(NOW);
        assert!(!issued(&run_by(&mut ledger, command, NOW, &policy)).repeated);
    }

    #[test]
    fn timed_out_sessions_do_not_count_towards_the_limit() {
        let policy = Policy { max_sessions: 1, on_limit: OnLimit::Deny, ..Policy::default() };
        let mut ledger = ledger(&[1]);
        let end = ledger.sessions[0].idle_end();
        let command = Command::CreateSession(sign_in(None, end));
        assert!(!issued(&run_by(&mut ledger, command, end, &policy)).repeated);
    }

    #[test]
    fn the_list_shows_active_sessions_the_most_recently_used_first() {
        let mut ledger = ledger(&[1, 2, 3, 4, 5]);
        ledger.sessions[1].last_seen_at = NOW + 5;
        ledger.sessions[2].created_at = NOW + 1;
        ledger.sessions[3].state = ended(NOW);
        ledger.sessions[4].absolute_end = NOW + 6;
        let applied = run(&mut ledger, Command::List, NOW + 6);
        let Outcome::Sessions(views) = &applied.outcome else { panic!("a list") };
        let names: Vec<_> = views.iter().map(|view| view.id).collect();
        assert_eq!(names, [id(2), id(3), id(1)]);
        assert_eq!(views[0].idle_end, NOW + 5 + ledger.sessions[1].idle);
        assert_eq!(kinds(&applied), [AuditKind::of_end(EndReason::AbsoluteTimeout)]);
        assert!(!run(&mut ledger, Command::List, NOW + 6).changed);
    }

    #[test]
    fn a_sweep_ends_what_timed_out_and_forgets_what_is_past_memory() {
        let memory = Policy::default().revocation_memory;
        let mut ledger = ledger(&[1, 2, 3]);
        for session in &mut ledger.sessions {
            session.idle = 2 * memory;
            session.absolute_end = NOW + 2 * memory;
        }
        ledger.sessions[1].state = ended(NOW);
        ledger.sessions[2].absolute_end = NOW + memory;
        for (jti, expires_at) in [("a", NOW + memory), ("b", NOW + memory + 1)] {
            ledger.revoked_tokens.push(RevokedToken { jti: jti.to_owned(), expires_at });
        }
        assert!(!run(&mut ledger.clone(), Command::Sweep, NOW + memory - 1).changed);
        let applied = run(&mut ledger, Command::Sweep, NOW + memory);
        assert_eq!(applied.outcome, Outcome::Swept);
        assert_eq!(kinds(&applied), [AuditKind::SessionOver, AuditKind::SessionForgotten]);
        let names: Vec<_> = ledger.sessions.iter().map(|session| session.id).collect();
        assert_eq!(names, [id(1), id(3)]);
        assert_eq!(ledger.revoked_tokens.len(), 1);
    }

    #[test]
    fn the_next_sweep_is_due_at_the_earliest_of_all_ends() {
        let policy = Policy::default();
        assert_eq!(next_due(&Ledger::default(), &policy), None);
        let mut ledger = ledger(&[1, 2]);
        ledger.sessions[1].absolute_end = NOW + 50;
        assert_eq!(next_due(&ledger, &policy), Some(NOW + 50));
        ledger.revoked_tokens.push(RevokedToken { jti: "j".to_owned(), expires_at: NOW + 40 });
        assert_eq!(next_due(&ledger, &policy), Some(NOW + 40));
        let mut ledger = Ledger { sessions: vec![session(1)], ..Ledger::default() };
        ledger.sessions[0].state = ended(NOW + 30);
        let due = NOW + 30 + policy.revocation_memory;
        assert_eq!(next_due(&ledger, &policy), Some(due));
    }
}
