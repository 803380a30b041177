//! What may be used once: an authorization code, a pushed authorization request, the `jti` of a client
//! assertion or of a DPoP proof. Its use is remembered until it would be of no use anyway, in the same
//! step as what it was used for: of any number of parallel attempts one succeeds.

use serde::{Deserialize, Serialize};

use crate::step::Step;
use crate::{AuditKind, Command, EndReason, Ledger, Millis, OnceId, Refusal};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// Its name.
    pub id: OnceId,
    /// When it stops to be of use, and its use need not be remembered any more. From then on it counts
    /// as used.
    pub until: Millis,
}

impl Once {
    fn is_used(&self, consumed: &[Self], now: Millis) -> bool {
        self.until <= now || consumed.iter().any(|used| used.id == self.id)
    }
}

/// What a command uses up if it succeeds.
///
/// # Errors
/// [`Refusal::Replayed`] if one of it was used before; for an authorization code the session that it
/// started has been ended then. [`Refusal::Full`] if there is no room to remember it.
pub(crate) fn admit(
    ledger: &mut Ledger,
    command: &Command,
    step: &mut Step<'_>,
) -> Result<Vec<Once>, Refusal> {
    let (code, others) = uses(command);
    if code.is_some_and(|code| code.is_used(&ledger.consumed, step.now)) {
        end_of_code(ledger, command, step);
        return Err(Refusal::Replayed);
    }
    let repeats = |(at, one): (usize, &Once)| {
        one.is_used(&ledger.consumed, step.now) || one.is_used(&others[..at], 0)
    };
    if others.iter().enumerate().any(repeats) {
        step.tell_of_none(AuditKind::OnceReplayed, None);
        return Err(Refusal::Replayed);
    }
    let all: Vec<Once> = code.into_iter().chain(others).collect();
    let kept = ledger.consumed.iter().filter(|used| used.until > step.now).count();
    if all.len() > Ledger::MAX_CONSUMED.saturating_sub(kept) {
        return if all.is_empty() { Ok(all) } else { Err(Refusal::Full) };
    }
    Ok(all)
}

/// Remembers what was used up.
pub(crate) fn use_up(ledger: &mut Ledger, all: Vec<Once>, step: &mut Step<'_>) {
    if !all.is_empty() {
        forget(ledger, step);
        ledger.consumed.extend(all);
        step.changed = true;
    }
}

/// Forgets what is of no use any more.
pub(crate) fn forget(ledger: &mut Ledger, step: &mut Step<'_>) {
    let before = ledger.consumed.len();
    ledger.consumed.retain(|used| used.until > step.now);
    step.changed |= before != ledger.consumed.len();
}

/// The authorization code, and what else a command would use up.
fn uses(command: &Command) -> (Option<Once>, Vec<Once>) {
    match command {
        Command::CreateSession(command) => (command.code, command.proof.into_iter().collect()),
        Command::Refresh(command) => (None, command.proof.into_iter().collect()),
        Command::Check(command) => (None, command.proof.into_iter().collect()),
        Command::Consume { once } => (None, once.clone()),
        _ => (None, Vec::new()),
    }
}

/// An authorization code was used again: whatever the first use has issued may be in the wrong hands
/// (RFC 6749 section 4.1.2).
fn end_of_code(ledger: &mut Ledger, command: &Command, step: &mut Step<'_>) {
    let Command::CreateSession(command) = command else { return };
    let code = command.code.map(|code| code.id);
    for session in ledger.sessions.iter_mut().filter(|session| session.code == code) {
        step.expire(session);
        if session.is_active() {
            step.end(session, EndReason::CodeReplayed);
            return;
        }
    }
    step.tell_of_none(AuditKind::CodeRefused, Some(&command.client_id));
}
