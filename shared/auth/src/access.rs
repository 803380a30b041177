//! Access tokens of ours: recognised by their internal MAC, or by their signature through the
//! Signatures port.

use ledger::Credential;
use oauth::access_token::{AccessToken, InvalidAccessToken, Presented};
use oauth::internal_mac::{Verdict, verdict};
use oauth::jws;
use ports::{Clock, SignatureError, Signatures};

use crate::settings::{MintSettings, Settings, Verifier};

/// Why a text is not taken for an access token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is none, or none in force.
    #[error(transparent)]
    Invalid(#[from] InvalidAccessToken),
    /// It could not be told.
    #[error(transparent)]
    Internal(#[from] SignatureError),
}

/// For which of its audiences a token must be genuine. An internal MAC speaks for one audience only,
/// the signature for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// It is used at this resource.
    UseAt(&'a str),
    /// It is asked about as a whole.
    Whole,
}

/// Check form, algorithm, type, key, MAC or signature, issuer and expiry, in this order.
///
/// # Errors
/// The first check that fails.
pub async fn verify<P: Clock + Signatures>(
    platform: &P,
    settings: &Settings,
    verifier: &Verifier,
    text: &str,
    purpose: Purpose<'_>,
) -> Result<AccessToken, VerifyError> {
    let Presented { key, jws, unverified } = Presented::parse(text, &verifier.keys)?;
    let (internal, resources) = (&verifier.internal, &settings.resources);
    let verdict = match purpose {
        Purpose::UseAt(audience) => verdict(internal, resources, &jws, [audience]),
        Purpose::Whole => verdict(internal, resources, &jws, unverified.aud.iter()),
    };
    let genuine = match verdict {
        Verdict::Genuine => true,
        Verdict::Forged => false,
        Verdict::Unknown => {
            platform.verify(key, jws.signing_input.as_bytes(), &jws.signature).await?
        }
    };
    if !genuine {
        return Err(InvalidAccessToken::BadSignature.into());
    }
    let now = platform.now();
    let token = unverified.accept(&settings.issuer, now)?;
    // The ledger judges by the session, which may be older; this holds where no ledger is asked.
    let issued_at = token.iat.saturating_mul(1000);
    match settings.policy.not_before {
        Some(moment) if moment <= now && issued_at < moment => {
            Err(InvalidAccessToken::TooOld.into())
        }
        _ => Ok(token),
    }
}

/// What the token is in the ledger's terms.
pub(crate) fn credential(claims: &AccessToken) -> Credential {
    Credential::Access { jti: claims.jti.clone(), expires_at: claims.exp.saturating_mul(1000) }
}

/// Sign the claims. The same claims give the same token.
///
/// # Errors
/// If the host's cryptography fails.
pub async fn sign(
    platform: &impl Signatures,
    settings: &Settings,
    mint: &MintSettings,
    claims: &AccessToken,
) -> Result<String, SignatureError> {
    let key = &mint.signing_key;
    let input = claims.signing_input(&key.kid, &mint.internal, &settings.resources);
    let signature = platform.sign(&key.key, input.as_bytes()).await?;
    Ok(jws::assemble(&input, &signature))
}
