//! Access tokens of ours: signed and verified by the Signatures port.

use oauth::access_token::{AccessToken, InvalidAccessToken, Presented, SigningKey, VerifyingKeys};
use ports::{Clock, SignatureError, Signatures};

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

/// Check form, algorithm, type, key, signature, issuer and expiry, in this order.
///
/// # Errors
/// The first check that fails.
pub async fn verify<P: Clock + Signatures>(
    platform: &P,
    keys: &VerifyingKeys,
    issuer: &str,
    text: &str,
) -> Result<AccessToken, VerifyError> {
    let presented = Presented::parse(text, keys)?;
    let input = presented.signing_input.as_bytes();
    if !platform.verify(presented.key, input, &presented.signature).await? {
        return Err(InvalidAccessToken::BadSignature.into());
    }
    Ok(presented.unverified.accept(issuer, platform.now())?)
}

/// Sign the claims. The same claims give the same token.
///
/// # Errors
/// If the host's cryptography fails.
pub async fn sign(
    platform: &impl Signatures,
    key: &SigningKey,
    claims: &AccessToken,
) -> Result<String, SignatureError> {
    let input = claims.signing_input(&key.kid);
    let signature = platform.sign(&key.key, input.as_bytes()).await?;
    Ok(AccessToken::assemble(&input, &signature))
}
