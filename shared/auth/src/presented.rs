//! A token that somebody presents to have it revoked or introspected: of either kind.

use ledger::{Address, Credential, SessionId};
use oauth::RefreshToken;
use oauth::access_token::AccessToken;
use ports::{Clock, Signatures};

use crate::Failure;
use crate::access::{self, Purpose, VerifyError};
use crate::settings::{ClientSettings, Settings, Verifier};

/// A token of ours. Which kind is told by its form, so a wrong `token_type_hint` costs nothing
/// (RFC 7009 and RFC 7662, section 2.1).
pub(crate) enum Token {
    Access(Box<AccessToken>),
    Refresh(RefreshToken),
}

/// Why a text that looks like a refresh token is none, for the log: nobody has minted it.
pub(crate) const FORGED: &str = "malformed or forged";

impl Token {
    /// Read a token; the inner error says why it is none of ours in force, for the log.
    ///
    /// # Errors
    /// [`Failure::Internal`] if that could not be told.
    pub(crate) async fn read(
        platform: &(impl Clock + Signatures),
        settings: &Settings,
        client: &ClientSettings,
        verifier: &Verifier,
        text: &str,
    ) -> Result<Result<Self, &'static str>, Failure> {
        if RefreshToken::resembles(text) {
            return Ok(RefreshToken::decode(text, &settings.issuer, &client.refresh_keys)
                .map(Self::Refresh)
                .map_err(|_| FORGED));
        }
        match access::verify(platform, settings, verifier, text, Purpose::Whole).await {
            Ok(claims) => Ok(Ok(Self::Access(Box::new(claims)))),
            Err(VerifyError::Invalid(_)) => Ok(Err("not a valid access token")),
            Err(VerifyError::Internal(error)) => Err(error.into()),
        }
    }

    /// The ledger that knows it, its session, and what it is in the ledger's terms.
    pub(crate) fn place(&self, settings: &Settings) -> (Address, SessionId, Credential) {
        match self {
            Self::Access(claims) => {
                (settings.ledger_of(claims), claims.sid, access::credential(claims))
            }
            Self::Refresh(token) => {
                let (generation, counter) = (token.generation, token.counter);
                (token.address, token.session, Credential::Refresh { generation, counter })
            }
        }
    }
}
