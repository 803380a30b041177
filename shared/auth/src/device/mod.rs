//! What a request tells of the device that it comes from: normalised, so that the same device tells
//! the same, and then hashed under a key, so that nothing can be read from what is kept.
//!
//! Three hashes are made of it, each of which may be missing:
//! - `fingerprint`, of the headers: the app and the system, and what else a client hint says of the
//!   device. Versions are left out, so a browser's update changes nothing.
//! - `described`, of the `device` object that a client sends: its `id`, if it tells one, else what
//!   the device is made of.
//! - `surroundings`: language, time zone, screen. They change with the person's habits and journeys.
//!
//! The table of fields is [`FIELDS`].

mod agent;
mod fields;

use http::HeaderMap;
use http::header::USER_AGENT;
use ledger::Fingerprint;
use oauth::OAuthError;
use oauth::keys::{self, Key};
use serde_json::{Map, Value};

pub use fields::{FIELDS, Field, Part, Source};

/// The largest `device` object, in bytes of JSON.
pub const MAX_BYTES: usize = 8 * 1024;
/// The most members that one may have.
pub const MAX_MEMBERS: usize = 64;
/// Longer labels are cut, in characters.
const MAX_LABEL: usize = 60;

/// What a request tells of its device, normalised. The default tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    label: String,
    family: Option<String>,
    fingerprint: Vec<Told>,
    described: Vec<Told>,
    surroundings: Vec<Told>,
}

/// A field's name and its normalised value.
type Told = (&'static str, String);

/// The hashes of a description; `None` where nothing is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprints {
    /// Of the headers.
    pub fingerprint: Option<Fingerprint>,
    /// Of the `device` object.
    pub described: Option<Fingerprint>,
    /// Of language, time zone and screen.
    pub surroundings: Option<Fingerprint>,
}

impl Description {
    /// Read the headers of a request and the text of its `device` object.
    ///
    /// # Errors
    /// `invalid_request` for an object that is none, or too large. What is in it is never an error:
    /// fields that are unknown or of another kind are ignored.
    pub fn read(headers: &HeaderMap, device: Option<&str>) -> Result<Self, OAuthError> {
        let object = device.map(object).transpose()?.unwrap_or_default();
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let agent = agent.map(str::trim).filter(|agent| !agent.is_empty());
        let mut fingerprint = fields::told(Part::Fingerprint, headers, &object);
        // A browser names itself and its system in more than one way; which of them it uses must
        // not matter.
        let family = agent.and_then(agent::family);
        let family = family.or_else(|| fields::brand(headers));
        let system = agent.and_then(agent::system).or_else(|| fields::system(headers));
        fingerprint.extend(family.clone().map(|family| ("family", family)));
        fingerprint.extend(system.map(|system| ("system", system.to_owned())));
        let described = match fields::installation(&object) {
            Some(own) => own,
            None => fields::told(Part::Described, headers, &object),
        };
        Ok(Self {
            label: label(agent, family.as_deref(), system, &object),
            family,
            fingerprint,
            described,
            surroundings: fields::told(Part::Surroundings, headers, &object),
        })
    }

    /// A name of the device that a person recognises: "Firefox on Linux", "Claude Code on macOS".
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The app, without its version.
    pub fn family(&self) -> Option<&str> {
        self.family.as_deref()
    }

    /// The hashes, under a key that never rotates: with another key everybody's device would be
    /// another one.
    pub fn fingerprints(&self, key: &Key) -> Fingerprints {
        Fingerprints {
            fingerprint: hash(key, "headers", &self.fingerprint),
            described: hash(key, "object", &self.described),
            surroundings: hash(key, "surroundings", &self.surroundings),
        }
    }
}

fn object(text: &str) -> Result<Map<String, Value>, OAuthError> {
    if text.len() > MAX_BYTES {
        return Err(OAuthError::invalid_request("device is larger than 8 KiB"));
    }
    let object: Map<String, Value> = serde_json::from_slice(text.as_bytes())
        .map_err(|_| OAuthError::invalid_request("device is not a JSON object"))?;
    if object.len() > MAX_MEMBERS {
        return Err(OAuthError::invalid_request("device has more than 64 members"));
    }
    Ok(object)
}

/// The client's own words first.
fn label(
    agent: Option<&str>,
    family: Option<&str>,
    system: Option<&str>,
    object: &Map<String, Value>,
) -> String {
    if let Some(name) = fields::text(object, "name") {
        return cut(name);
    }
    let app = fields::text(object, "app").or_else(|| agent.map(agent::name)).or(family);
    let own = fields::text(object, "platform").map(|own| fields::platform(own).unwrap_or(own));
    let system = own.or_else(|| agent.and_then(agent::place)).or(system);
    match (app.map(cut).filter(|app| !app.is_empty()), system) {
        (Some(app), Some(system)) => cut(&format!("{app} on {system}")),
        (Some(app), None) => app,
        (None, Some(system)) => cut(system),
        (None, None) => "Unknown device".to_owned(),
    }
}

fn cut(text: &str) -> String {
    text.trim().chars().filter(|character| !character.is_control()).take(MAX_LABEL).collect()
}

fn hash(key: &Key, kind: &str, told: &[Told]) -> Option<Fingerprint> {
    if told.is_empty() {
        return None;
    }
    let mut told: Vec<_> = told.iter().collect();
    told.sort();
    let pairs = told.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    let parts: Vec<&[u8]> = std::iter::once(kind.as_bytes()).chain(pairs).collect();
    let mac = keys::mac(key, "atoms-edge device", &parts);
    Some(Fingerprint::from_bytes(keys::half(&mac)))
}
