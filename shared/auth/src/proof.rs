//! Proofs of possession at our endpoints, RFC 9449: what comes with a request, held against it.
//!
//! A proof is good for one request. It must carry a nonce of ours, also at resources: so nobody who had
//! a client's key for a moment has made proofs for later. That it is used once is decided by the ledger,
//! in the same step as what it is used for ([`Proved::once`]).

use data::clients::ClientRecord;
use ledger::{Millis, Once};
use oauth::ErrorCode;
use oauth::dpop::{self, Call, InvalidProof, Proof};
use oauth::dpop_nonce;
use oauth::keys::KeyRing;
use ports::config::parsed;
use ports::{Clock, Config, ConfigError, Request, SignatureError, Signatures};

use crate::Failure;
use crate::settings::{RING, Settings};

/// What a request has proved. Nothing is used up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The thumbprint of the key that the sender holds.
    pub key: String,
    /// What the proof uses up.
    pub once: Once,
}

/// The keys of our nonces.
pub struct Nonces(KeyRing);

impl Nonces {
    /// Read the setting.
    ///
    /// # Errors
    /// If it is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        parsed(config, "DPOP_NONCE_KEYS", RING, KeyRing::parse).map(Self)
    }

    /// The nonce for the answer to a request that has to do with proofs.
    pub fn current(&self, now: Millis) -> Option<String> {
        dpop_nonce::current(&self.0, now)
    }
}

/// Why a proof is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofError {
    /// It is none for this request.
    Invalid(InvalidProof),
    /// It carries no nonce of ours that is recent: the client must try again with the one of the answer.
    Nonce,
    /// It could not be told.
    Internal(SignatureError),
}

/// What the request proves, if it brings a proof: exactly one, of the right form, for this very method
/// and URL (that of the configuration, whatever the request says of its host), made just now, with a
/// nonce, signed by the key that it names; at a resource also for the access token that comes with it.
///
/// # Errors
/// The first check that fails.
pub async fn check(
    platform: &(impl Clock + Signatures),
    settings: &Settings,
    nonces: &Nonces,
    request: &Request,
    access_token: Option<&str>,
) -> Result<Option<Proved>, ProofError> {
    let mut texts = request.headers().get_all(dpop::HEADER).iter();
    let Some(text) = texts.next() else { return Ok(None) };
    if texts.next().is_some() {
        return Err(InvalidProof::Several.into());
    }
    let proof = Proof::parse(text.to_str().map_err(|_| InvalidProof::Malformed)?)?;
    let url = format!("{}{}", settings.issuer, request.uri().path());
    let call = Call { method: request.method().as_str(), url: &url, access_token };
    let now = platform.now();
    let once = proof.check(&call, now)?;
    if !proof.nonce().is_some_and(|nonce| dpop_nonce::is_recent(&nonces.0, nonce, now)) {
        return Err(ProofError::Nonce);
    }
    if !platform.verify(&proof.key, proof.signing_input.as_bytes(), &proof.signature).await? {
        return Err(InvalidProof::BadSignature.into());
    }
    Ok(Some(Proved { key: proof.key.thumbprint(), once }))
}

/// Whether the client may have tokens with what its request proves: some have registered that they want
/// none that a thief could use (RFC 9449 section 5.2).
///
/// # Errors
/// `invalid_dpop_proof` for a request of theirs without a proof.
pub fn required(record: &ClientRecord, proved: Option<&Proved>) -> Result<(), Failure> {
    if record.dpop_bound && proved.is_none() {
        return Err(InvalidProof::Missing.into());
    }
    Ok(())
}

impl From<InvalidProof> for ProofError {
    fn from(invalid: InvalidProof) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<SignatureError> for ProofError {
    fn from(error: SignatureError) -> Self {
        Self::Internal(error)
    }
}

impl From<InvalidProof> for Failure {
    fn from(invalid: InvalidProof) -> Self {
        let reason = invalid.as_str();
        Self::refused(ErrorCode::InvalidDpopProof, reason, reason)
    }
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Invalid(invalid) => invalid.into(),
            ProofError::Nonce => Self::refused(ErrorCode::UseDpopNonce, NONCE, NONCE),
            ProofError::Internal(error) => error.into(),
        }
    }
}

/// What a client is told that has to come again with a nonce.
pub const NONCE: &str = "the DPoP proof must carry the nonce of this answer";
