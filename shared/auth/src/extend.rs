//! A session that goes on: a new generation of refresh tokens, and the idle time anew.

use ledger::{Answer, Command, Extend, Outcome, Refusal};
use ports::Platform;

use crate::issue::{TokenResponse, mint};
use crate::refresh::Refreshed;
use crate::sessions::{Person, SessionsError};
use crate::settings::{ClientSettings, MintSettings, Settings};

/// Extend the session that the request itself comes from; its absolute end stays where it is. The
/// refresh token before it stays good within the grace, for the same successor.
///
/// Another session than one's own is not extended: its tokens would be given to the wrong device, and
/// the right one would be taken for a thief when it comes with its own.
///
/// # Errors
/// See [`SessionsError`].
pub async fn extend<P: Platform>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    minting: &MintSettings,
    person: &Person,
    session: &str,
) -> Result<(TokenResponse, Refreshed), SessionsError> {
    let session = session.parse().map_err(|_| SessionsError::NotFound)?;
    let Person { bearer, record } = person;
    if bearer.claims.sid != session {
        return Err(SessionsError::NotOwn);
    }
    let (client_id, key_id) = (record.client_id.clone(), client.refresh_keys.newest());
    let command = Command::Extend(Extend { session, client_id, key_id });
    let envelope = settings.envelope_for(record, command)?;
    let address = settings.user_ledger(&bearer.claims.sub);
    let Answer { outcome, budget } = platform.ask(&address, &envelope).await?;
    match outcome {
        Outcome::Issued(issue) => {
            // A session of a key has tokens of that key only, and this one was proved to be held.
            let key = bearer.key();
            let tokens = mint(platform, settings, client, minting, record, &issue, key).await?;
            let session = issue.session.to_string();
            Ok((tokens, Refreshed { session, repeated: issue.repeated, budget }))
        }
        Outcome::Limited(budget) => Err(SessionsError::Limited(budget)),
        Outcome::Refused(Refusal::Exhausted) => Err(SessionsError::Exhausted),
        // It ended after the token was looked at.
        Outcome::Refused(_) => Err(SessionsError::NotFound),
        other => Err(SessionsError::Internal(other.out_of_turn())),
    }
}
