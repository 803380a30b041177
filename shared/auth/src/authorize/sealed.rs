//! What travels with the person or the client, sealed: for each kind a label, and the place where alone it
//! opens.

use ledger::OnceId;
use oauth::authorization::AuthorizationRequest;
use oauth::keys::KeyRing;
use oauth::seal::{self, Nonce};
use ports::{Millis, Random};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// What a person signs in for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// A client's request.
    Client(Box<AuthorizationRequest>),
    /// Their own account page.
    Account,
}

/// A person on their way through the sign-in: the `state` towards AuthKit.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) purpose: Purpose,
    /// Of the challenge that AuthKit has been given.
    pub(super) verifier: String,
    /// When the person was sent there.
    pub(super) since: Millis,
    pub(super) until: Millis,
}

/// A request that the person is asked about, in the form that asks.
#[derive(Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) request: AuthorizationRequest,
    /// The name of its code. It is drawn before they answer: if they answer twice, there is one code by
    /// that name that can be redeemed, and one use of the grant beside it.
    pub(super) code: OnceId,
    /// The grant of the sign-in at the identity provider, if this is the request that it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<String>,
    pub(super) until: Millis,
}

/// A request that its client has pushed, RFC 9126.
#[derive(Serialize, Deserialize)]
pub(super) struct Pushed {
    pub(super) request: AuthorizationRequest,
    /// Its name in the client's ledger.
    pub(super) id: OnceId,
    pub(super) until: Millis,
}

/// What is sealed, and for how long it is good.
pub(super) trait Sealed: Serialize + DeserializeOwned {
    /// No two kinds open as each other.
    const LABEL: &'static str;

    /// From then on it is none.
    fn until(&self) -> Millis;
}

impl Sealed for Pending {
    const LABEL: &'static str = "atoms-edge sign-in";

    fn until(&self) -> Millis {
        self.until
    }
}

impl Sealed for Asked {
    const LABEL: &'static str = "atoms-edge consent";

    fn until(&self) -> Millis {
        self.until
    }
}

impl Sealed for Pushed {
    const LABEL: &'static str = "atoms-edge pushed request";

    fn until(&self) -> Millis {
        self.until
    }
}

/// Seal it for a place.
pub(super) fn seal<T: Sealed>(
    random: &impl Random,
    keys: &KeyRing,
    place: &[&str],
    what: &T,
) -> Result<String, Failure> {
    let defect = || Failure::Internal(format!("cannot seal: {}", T::LABEL));
    let text = serde_json::to_vec(what).map_err(|_| defect())?;
    let place: Vec<_> = place.iter().map(|part| part.as_bytes()).collect();
    seal::seal(keys, T::LABEL, &place, &nonce(random), &text).ok_or_else(defect)
}

/// Open what was sealed for this place, if it is still good.
pub(super) fn open<T: Sealed>(
    keys: &KeyRing,
    place: &[&str],
    text: &str,
    now: Millis,
) -> Option<T> {
    let place: Vec<_> = place.iter().map(|part| part.as_bytes()).collect();
    let opened = seal::open(keys, T::LABEL, &place, text)?;
    serde_json::from_slice(&opened).ok().filter(|what: &T| now < what.until())
}

/// Bytes that are never drawn twice.
pub(super) fn nonce(random: &impl Random) -> Nonce {
    let mut nonce = Nonce::default();
    random.fill(&mut nonce);
    nonce
}

/// A name for something that may be used once.
pub(super) fn once_id(random: &impl Random) -> OnceId {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    OnceId::from_bytes(bytes)
}
