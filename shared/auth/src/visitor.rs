//! Where a call of a person's client comes from, and what it proves, in the ledger's terms.

use ledger::{Device, Location, Once, Signals};
use oauth::form::Form;
use ports::{Place, Request};

use crate::Failure;
use crate::device::Description;
use crate::network;
use crate::proof::Proved;
use crate::settings::{ClientSettings, MintSettings};

/// What a call tells of its device, its network and its place. All of it may be unknown, which
/// weighs nothing; the default is a visitor of whom nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visitor {
    /// The device, for people.
    pub device: Device,
    /// What the ledger compares.
    pub signals: Signals,
    /// The key that the sender holds, if it has proved to hold one: what [`Self::of`] leaves to
    /// [`proof::check`](crate::proof::check).
    pub proof: Option<Proved>,
}

impl Visitor {
    /// Read a request and its form, whose field `device` is a JSON object.
    ///
    /// # Errors
    /// `invalid_request` for a `device` that is no object, or too large.
    pub fn of(
        request: &Request,
        form: &Form,
        client: &ClientSettings,
        minting: &MintSettings,
    ) -> Result<Self, Failure> {
        let description = Description::read(request.headers(), form.get("device"))?;
        let hashes = description.fingerprints(&minting.device_key);
        let nowhere = Place::default();
        let place = request.extensions().get::<Place>().unwrap_or(&nowhere);
        let signals = Signals {
            fingerprint: hashes.fingerprint,
            described: hashes.described,
            surroundings: hashes.surroundings,
            network: network::of(request.headers(), client.proxy_header.as_ref()),
            country: place.country.clone(),
            asn: place.asn,
            user_agent_family: description.family().map(str::to_owned),
            location: place.degrees.and_then(|(lat, long)| Location::from_degrees(lat, long)),
        };
        let label = description.label().to_owned();
        Ok(Self { device: Device { label, fingerprint: hashes.fingerprint }, signals, proof: None })
    }

    /// The thumbprint of the key that the sender holds.
    pub fn key(&self) -> Option<&str> {
        self.proof.as_ref().map(|proof| proof.key.as_str())
    }

    /// What the proof of that uses up.
    pub fn once(&self) -> Option<Once> {
        self.proof.as_ref().map(|proof| proof.once)
    }
}
