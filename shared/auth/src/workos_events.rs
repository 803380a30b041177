//! What WorkOS tells of by its webhook: the end of a sign-in, or of a person.
//!
//! WorkOS delivers an event again until it was taken, and perhaps more often. Each of them may come
//! any number of times: what has ended stays ended.

use ledger::{Actor, Command, Outcome};
use oauth::workos_signature::{self, InvalidSignature};
use ports::{Clock, LedgerError, Ledgers};
use serde::Deserialize;

use crate::login::End;
use crate::settings::Settings;
use crate::{Failure, authkit};

/// Why an event is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// WorkOS did not send it, or not now.
    #[error(transparent)]
    Signature(#[from] InvalidSignature),
    /// WorkOS sent it, and it lacks what we need.
    #[error("not an event as documented")]
    Malformed,
    /// The ledger does not answer. WorkOS tries again.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl From<LedgerError> for EventError {
    fn from(error: LedgerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

#[derive(Deserialize)]
struct Event {
    event: String,
    #[serde(default)]
    data: serde_json::Value,
}

/// Take an event, once it is certain that WorkOS sent it: `session.revoked` ends all sessions that
/// came from the sign-in, `user.deleted` all of the person, and both the logins in browsers. Others are none of our business. Answers
/// in a word what came of it, for the log.
///
/// # Errors
/// See [`EventError`].
pub async fn receive(
    platform: &(impl Clock + Ledgers),
    settings: &Settings,
    secret: &str,
    signature: Option<&str>,
    body: &[u8],
) -> Result<&'static str, EventError> {
    workos_signature::verify(secret, signature, body, platform.now())?;
    let event: Event = serde_json::from_slice(body).map_err(|_| EventError::Malformed)?;
    let member = |name: &str| {
        let text = event.data[name].as_str().filter(|text| !text.is_empty());
        text.ok_or(EventError::Malformed)
    };
    let reason = Some(event.event.clone());
    let (user, end, command) = match event.event.as_str() {
        "session.revoked" => {
            let sign_in = member("id")?;
            let external_id = authkit::external_id(sign_in);
            let command = Command::RevokeExternal { external_id, reason };
            (member("user_id")?, End::SignIn(sign_in), command)
        }
        "user.deleted" => {
            let user = member("id")?;
            (user, End::Person(user), Command::RevokeAll { except: None, reason })
        }
        _ => return Ok("ignored"),
    };
    // First, so that no browser begins a session that the other command does not see.
    end.remember(platform, settings, user).await.map_err(|failure| match failure {
        Failure::Unavailable(cause) => EventError::Unavailable(cause),
        other => EventError::Internal(other.to_string()),
    })?;
    let mut envelope = settings.envelope(command);
    // The person's rate limits are not for what their provider does.
    envelope.origin.actor = Actor::Service;
    match platform.execute(&settings.user_ledger(user), &envelope).await? {
        Outcome::Revoked { sessions: 0 } => Ok("nothing_to_end"),
        Outcome::Revoked { .. } => Ok("sessions_ended"),
        other => Err(EventError::Internal(other.out_of_turn())),
    }
}
