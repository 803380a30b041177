//! What the unit tests of this crate share.

use crate::{
    Actor, Applied, AuditKind, AuditLevel, Command, Context, CreateSession, Device, Ledger, Limits,
    Millis, Origin, Policy, Refresh, RiskMemory, Seen, Session, SessionId, Signals, State, Subject,
    apply,
};

/// When the sessions of the tests begin.
pub(crate) const NOW: Millis = 1_000_000;

/// Of all commands.
pub(crate) const ORIGIN: Origin =
    Origin { actor: Actor::Client, request_id: None, trace_id: None, sending: None };

pub(crate) const MINUTE: Millis = 60_000;

pub(crate) fn id(name: u8) -> SessionId {
    SessionId::from_bytes([name; 16])
}

pub(crate) fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&one| one.to_owned()).collect()
}

/// A fresh session of client `app`, as the default policy would make it at `NOW`.
pub(crate) fn session(name: u8) -> Session {
    let policy = Policy::default();
    Session {
        id: id(name),
        subject: Subject { id: "user".to_owned(), organization: None, roles: vec![] },
        client_id: "app".to_owned(),
        scopes: strings(&["a", "b"]),
        resources: strings(&["r1", "r2"]),
        device: Device { label: "curl".to_owned(), fingerprint: None },
        network: None,
        seen: Seen::default(),
        risk: RiskMemory::default(),
        refreshes: vec![],
        external_id: None,
        code: None,
        key: None,
        upstream: None,
        created_at: NOW,
        last_seen_at: NOW,
        idle: policy.idle,
        absolute_end: NOW + policy.absolute,
        generation: 0,
        counter: 0,
        key_id: 1,
        extended_from: None,
        rotated_at: NOW,
        grace: None,
        replays: 0,
        access_revoked: false,
        state: State::Active,
        end_note: None,
    }
}

/// A stored ledger of fresh sessions with these names.
pub(crate) fn ledger(names: &[u8]) -> Ledger {
    let sessions = names.iter().map(|&name| session(name)).collect();
    Ledger { schema: Ledger::SCHEMA, sessions, ..Ledger::default() }
}

/// A sign-in by client `app` that was proved right now.
pub(crate) fn sign_in(external_id: Option<&str>, authenticated_at: Millis) -> CreateSession {
    let session = session(0);
    CreateSession {
        subject: session.subject,
        client_id: session.client_id,
        scopes: session.scopes,
        scopes_by_default: false,
        resources: session.resources,
        resources_by_default: false,
        device: session.device,
        external_id: external_id.map(str::to_owned),
        authenticated_at,
        key_id: 1,
        fresh_for: 0,
        signals: Signals::default(),
        code: None,
        proof: None,
        key: None,
    }
}

/// A refresh by client `app` with all scopes and resources, under key 2.
pub(crate) fn refresh(name: u8, counter: u32) -> Refresh {
    Refresh {
        session: id(name),
        generation: 0,
        counter,
        client_id: "app".to_owned(),
        scopes: None,
        resources: None,
        key_id: 2,
        proactive: false,
        force_rotation: false,
        renews_upstream: false,
        signals: Signals::default(),
        key: None,
        proof: None,
    }
}

/// Applies under the default policy without rate limits and audit trail; random bytes continue after those of the fixture's names.
pub(crate) fn run(ledger: &mut Ledger, command: Command, now: Millis) -> Applied {
    let policy = Policy { limits: Limits::off(), audit: AuditLevel::Off, ..Policy::default() };
    run_by(ledger, command, now, &policy)
}

pub(crate) fn run_by(
    ledger: &mut Ledger,
    command: Command,
    now: Millis,
    policy: &Policy,
) -> Applied {
    let before = ledger.clone();
    let context = Context { now, policy, origin: &ORIGIN };
    let next = 100 + u8::try_from(ledger.sessions.len()).unwrap();
    let applied = apply(ledger, command, context, &mut |bytes| bytes.fill(next));
    assert_eq!(applied.changed, *ledger != before, "changed tells the truth");
    applied
}

pub(crate) fn kinds(applied: &Applied) -> Vec<AuditKind> {
    applied.events.iter().map(|event| event.kind).collect()
}
