//! Ledgers on a platform's key-value store alone (Workers KV, Spin key-value), for deployments that
//! have nothing else. Such a store compares and swaps nothing, and what one location writes another
//! may see a minute later. Chosen by name (`LEDGER_STORE=platform-kv`), never fallen back to.
//!
//! # How
//!
//! A ledger is taken apart into keys, such that what must not be lost is never written over:
//!
//! | key `ledger/…/<address>/…` | holds | written by |
//! |---|---|---|
//! | `s/…/<session>` | the session, alive: its grant, generation, counter, risk | sign-in, rotation, extension; the larger generation and counter wins |
//! | `t/…/<session>` | its end (tombstone) | revocation, reuse, eviction, risk, settled timeouts; never by a refresh, never removed, outlives the session's key |
//! | `a/…`, `b/…` | the last end of all sessions; ends of all but one, and of a sign-in | revoke-all, sign-out at the provider: they catch sessions that could not be seen there |
//! | `j/…/<jti>` | one revoked access token | its revocation |
//! | `c/…/<name>` | what may be used once, and was | its use |
//! | `l/…/<session>` | last use | use, at most once a minute |
//! | `x/…/<sign-in>` | sessions of an upstream sign-in | sign-in |
//! | `w/…` | rate-limit windows | whatever spends |
//! | `e/…/<number>` | one audit event | the command that it tells of, before it takes effect |
//! | `g/…/<session>` | the grant at the identity provider | whatever claims or renews it |
//! | `n/…/<id>` | one announcement to webhooks | the command that it tells of, its delivery |
//! | `u/…/<session>` | since when a session is missing | a token of ours whose session is not found |
//!
//! A command reads the keys that it needs, applies [`ledger::apply`] to the ledger that they make,
//! and writes what has changed; a session over what is there by then, unless that has come further.
//! The names of the keys contain the ledger's address, which a token tells,
//! so the session's key is its own index; only sign-in, list, revoke-all and sweep list keys.
//!
//! # Guarantees
//!
//! "Propagation" is the platform's: Workers KV names 60 seconds or more.
//!
//! | | strong stores | platform KV |
//! |---|---|---|
//! | parallel refreshes converge | always | always: the successor is derived and not drawn |
//! | a session is lost by a race | never | never: a token ahead of a stale or overwritten counter moves it forward |
//! | a stale read is taken for reuse | – | never: a stale counter is always smaller |
//! | a revoked session revives | never | never; elsewhere it is dead after propagation, whatever was refreshed meanwhile |
//! | revocation takes effect | at once | here at once, elsewhere after propagation |
//! | a revocation that cannot see its session | – | is answered 503 and to be repeated, for two minutes after the first attempt; revoke-all ends unseen sessions too (of two that spare different sessions within propagation the first may spare the second's) |
//! | reuse is detected | at once, for ever | after propagation; later if an old counter was written over a new one, until the holder's next refresh |
//! | a new session is known | at once | elsewhere after propagation; until then its refresh is answered 503, and introspection says inactive |
//! | idle timeout | exact to a minute | up to a minute late, and told in the audit trail two minutes later |
//! | a proof from before the end of all sessions | starts one, unless it had started an ended one | starts none |
//! | one upstream sign-in, one session | always | for one proof always (its session's name is derived); for two proofs of it after propagation |
//! | what may be used once (codes, proofs, assertions) | is used once | is used once at a location, but by two that meet there perhaps; elsewhere once more until propagation |
//! | a code that is redeemed twice starts | one session, which the second redemption ends | one session (its name is derived), which the second ends if it sees the first |
//! | sessions per user | never more | a few more may begin within propagation; the next sign-in evicts them |
//! | rate limits | exact | approximate: per location until propagation, and of what is spent within a second one is kept; repeated answers are not counted |
//! | audit: no event is lost | always, with the change | always, before the change: an attempt that failed may be told of too |
//! | audit: a changed row is found | yes | yes |
//! | audit: a removed row is found | yes (chain) | **no**: there is no chain among writers who do not see each other |
//! | webhooks | at least once | at least once; more often twice |
//! | the provider's grant is renewed by one at a time | always | within a location; two that meet may lose it, and the person signs in again for the grant; that the provider calls it ended does not end the session (its sign-out webhook does) |
//! | writes per second | – | one per session; a rotation that finds its key busy is answered without waiting long |
//!
//! # Costs, in operations of the platform
//!
//! | command | reads | lists | writes |
//! |---|---|---|---|
//! | refresh that rotates | 8 | | 2 (session, window) |
//! | refresh answered again | 7 | | 0 |
//! | introspection | 6 | | 1 a minute per session |
//! | revocation | 6 | | 3 (event, end, window) |
//! | sign-in | 6 + 3 for each living session | 2 | 3 (event, session, sign-in or code) |
//! | what uses up something | 1 more | | 1 more |
//! | list | 3 + 3 for each living session | 2 | 1 (window) |
//! | revoke-all | as list | 2 | 2 + 2 for each session |
//! | delivery of *n* events | *n* | 2 | *n* (removals) |
//!
//! What is over is forgotten by the platform: every key has its time to live. A
//! [`Sweep`](ledger::Command::Sweep) is needed only for timeouts to be told of that nobody looks at.

mod io;
mod keys;
mod outbox;
mod plan;
mod records;
mod scope;
mod view;

use ledger::{
    Address, Answer, Applied, AuditEvent, AuditKind, Command, Context, Envelope, Ledger, Millis,
    Outcome, Policy, Refusal, SessionId, apply,
};
use ports::{Clock, KvStore, LedgerError, Ledgers, Random, Timer};

use io::{Io, failed};
use keys::Keys;
use plan::{Basis, Plan};
use scope::Scope;
use view::View;

/// After this time what was written is usually seen everywhere.
const PROPAGATION: Millis = 60_000;
/// After this time it is believed.
const SETTLED: Millis = 2 * PROPAGATION;
/// So much longer than what it ends, an end is kept.
const MARGIN: Millis = 3_600_000;

/// See the module.
pub struct KvLedgers<'a, P, K> {
    platform: &'a P,
    kv: K,
}

impl<'a, P: Clock + Timer + Random, K: KvStore> KvLedgers<'a, P, K> {
    /// Ledgers in `kv`, judged by the platform's clock.
    pub const fn new(platform: &'a P, kv: K) -> Self {
        Self { platform, kv }
    }

    /// Apply a command and tell all that it did.
    ///
    /// # Errors
    /// If the store does not answer, a key is busy for seconds, or a token speaks of a session that
    /// cannot be seen here yet. It is unknown then whether the command took effect; every command
    /// can be repeated.
    pub async fn apply(
        &self,
        address: &Address,
        envelope: &Envelope,
    ) -> Result<Applied, LedgerError> {
        let keys = Keys::of(*address);
        let io = Io { platform: self.platform, kv: &self.kv, keys: &keys };
        let outcome = match &envelope.command {
            Command::Outbox { limit } => io.pending(*limit).await?,
            Command::AckEvents { events } => io.delivered(events).await?,
            Command::AckOutbox { up_to, .. } => io.delivered_up_to(*up_to).await?,
            _ => return self.change(&io, envelope).await,
        };
        let (events, revocations) = (Vec::new(), Vec::new());
        Ok(Applied { outcome, events, changed: false, budget: None, revocations })
    }

    /// Ledgers with events or announcements to deliver, in no order that means anything.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn due(&self, limit: u32) -> Result<Vec<Address>, LedgerError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found: Vec<Address> = Vec::new();
        for prefix in [keys::EVENTS, keys::WEBHOOKS] {
            let mut cursor = None;
            loop {
                let page = self.kv.list(prefix, cursor.as_deref()).await.map_err(failed)?;
                found.extend(page.keys.iter().filter_map(|key| keys::address(key)));
                // Keys come in order, so those of one ledger are together.
                found.dedup();
                cursor = page.next;
                if cursor.is_none() || found.len() >= limit {
                    break;
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(limit);
        Ok(found)
    }

    async fn change(&self, io: &Io<'_, P, K>, envelope: &Envelope) -> Result<Applied, LedgerError> {
        let scope = Scope::of(envelope);
        let view = io.view(&scope).await?;
        if scope.genuine {
            io.wait_for_missing(&view).await?;
        }
        let (applied, plan) = self.step(io.keys, &scope, &view, envelope);
        io.write(plan).await?;
        Ok(applied)
    }

    /// Apply the command to what was read, and say what is to be written.
    fn step(
        &self,
        keys: &Keys,
        scope: &Scope,
        view: &View,
        envelope: &Envelope,
    ) -> (Applied, Plan) {
        let now = self.platform.now();
        let policy = patient(&envelope.policy);
        let mut ledger = view.ledger();
        if matches!(envelope.command, Command::UpstreamStore(_)) {
            doubt(&mut ledger);
        }
        let context = Context { now, policy: &policy, origin: &envelope.origin };
        let mut derived = name(keys, view, scope);
        let mut name = |out: &mut [u8]| match derived.take() {
            Some(derived) if out.len() == derived.as_bytes().len() => {
                out.copy_from_slice(derived.as_bytes());
            }
            _ => self.platform.fill(out),
        };
        let mut applied = apply(&mut ledger, envelope.command.clone(), context, &mut name);
        if let Some(proved_at) = scope.proved_at() {
            date(&mut ledger, view, proved_at);
            if view.has_ended_one_of(&ledger.sessions) || is_signed_out(scope, view, &applied) {
                ledger = view.ledger();
                refuse_as_stale(&mut applied);
            }
        }
        let basis = Basis { keys, envelope, now, horizon: horizon(&policy, now) };
        basis.plan(view, &ledger, applied, &mut |out| self.platform.fill(out))
    }
}

impl<P: Clock + Timer + Random, K: KvStore> Ledgers for KvLedgers<'_, P, K> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        self.apply(address, envelope).await.map(Answer::from)
    }
}

/// The policy with as much more idle time as the last use may be seen late.
fn patient(policy: &Policy) -> Policy {
    Policy {
        idle: policy.idle.saturating_add(PROPAGATION),
        offline_idle: policy.offline_idle.saturating_add(PROPAGATION),
        ..policy.clone()
    }
}

/// As long as anything has to do with a session that begins now.
fn horizon(policy: &Policy, now: Millis) -> Millis {
    let lives = policy.absolute.max(policy.offline_absolute);
    let known = lives.saturating_add(policy.revocation_memory).saturating_add(MARGIN);
    now.saturating_add(known)
}

/// The name that a sign-in gives its session, unless one of that name has been there: a name is not
/// used twice, since tokens are derived from it.
fn name(keys: &Keys, view: &View, scope: &Scope) -> Option<SessionId> {
    let name = match (&scope.code, &scope.sign_in) {
        (Some(code), _) => keys.name_of_code(code.id),
        (None, sign_in) => keys.name_of(sign_in.as_ref()?),
    };
    view.is_new(name).then_some(name)
}

/// A session that a proof begins is dated by the proof: whoever begins it once more elsewhere must
/// not begin it after an end of all that came in between.
fn date(ledger: &mut Ledger, view: &View, authenticated_at: Millis) {
    let begun = ledger.sessions.iter_mut().filter(|session| view.is_new(session.id));
    begun.for_each(|session| session.created_at = session.created_at.min(authenticated_at));
}

/// Whether a code was redeemed whose sign-in the identity provider has ended, whenever that was.
fn is_signed_out(scope: &Scope, view: &View, applied: &Applied) -> bool {
    let external_id = scope.code.as_ref().and_then(|code| code.external_id.as_deref());
    matches!(applied.outcome, Outcome::Issued(_))
        && external_id.is_some_and(|external_id| view.has_signed_out(external_id))
}

/// Two locations may have used one refresh token of the identity provider, each with a lease that
/// the other could not see. That the provider refuses one of them ends no session.
fn doubt(ledger: &mut Ledger) {
    let grants = ledger.sessions.iter_mut().filter_map(|session| session.upstream.as_mut());
    grants.for_each(|grant| grant.unsure = true);
}

/// The proof is older than an end of all sessions: the answer as if it were older than the end of its
/// own.
fn refuse_as_stale(applied: &mut Applied) {
    let begun = |event: &AuditEvent| event.kind == AuditKind::SessionCreated;
    applied.events.retain(begun);
    for event in &mut applied.events {
        let kind = AuditKind::ProofStale;
        (event.kind, event.outcome, event.session) = (kind, kind.outcome(), None);
    }
    (applied.outcome, applied.changed) = (Outcome::Refused(Refusal::StaleProof), false);
}
