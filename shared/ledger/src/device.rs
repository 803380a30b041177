use serde::{Deserialize, Serialize};

use crate::{Fingerprint, Millis};

/// Longer texts of a signal are cut: they are kept per session, and come from outside.
const MAX_SIGNAL: usize = 64;

/// The mean radius of the Earth in kilometres.
const EARTH: f64 = 6_371.0;

/// What is known of the device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Device {
    /// For a person to recognise, for example "Firefox on Linux".
    pub label: String,
    /// The device that made the last rotation, if it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// What a call by the person's client tells of where it comes from. All of it is optional; what is
/// unknown weighs nothing and is compared with nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Signals {
    /// The device as far as the transport tells it, by a keyed hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The device as the client itself describes it, by a keyed hash. Kept apart from the other, so
    /// that a client that describes it in some calls only does not look like two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub described: Option<Fingerprint>,
    /// What may well change on one device (language, time zone, screen), by a keyed hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surroundings: Option<Fingerprint>,
    /// The network prefix, for example `192.0.2.0/24`; never the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The autonomous system of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// The product of the user agent without its version, for example `Firefox`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent_family: Option<String>,
    /// The place that the platform guesses from the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

impl Signals {
    /// With texts of a length that a session can keep.
    #[must_use]
    pub(crate) fn bounded(mut self) -> Self {
        for text in [&mut self.network, &mut self.country, &mut self.user_agent_family] {
            *text = text.take().map(|text| bounded(&text, MAX_SIGNAL));
        }
        self
    }
}

/// The signals of the last refresh that told them, kept with the session to compare the next with.
/// Fingerprint and network have fields of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// The device that made the last rotation, as the client described it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub described: Option<Fingerprint>,
    /// Language, time zone and screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surroundings: Option<Fingerprint>,
    /// The country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// The user agent without its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent_family: Option<String>,
    /// The place, and when it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<(Location, Millis)>,
}

impl Seen {
    /// What a sign-in told.
    pub(crate) fn first(signals: &Signals, now: Millis) -> Self {
        Self {
            described: signals.described,
            surroundings: signals.surroundings,
            country: signals.country.clone(),
            asn: signals.asn,
            user_agent_family: signals.user_agent_family.clone(),
            location: signals.location.map(|place| (place, now)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A place on Earth, to a hundredth of a degree (about a kilometre): enough to tell a journey by,
/// and no more than that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// In hundredths of a degree, north is positive.
    latitude: i16,
    /// In hundredths of a degree, east is positive.
    longitude: i16,
}

impl Location {
    /// From degrees; `None` for what is no place on Earth.
    pub fn from_degrees(latitude: f64, longitude: f64) -> Option<Self> {
        let on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        #[expect(clippy::cast_possible_truncation, reason = "at most 18,000 either way")]
        let rounded = |degrees: f64| (degrees * 100.0).round() as i16;
        on_earth.then(|| Self { latitude: rounded(latitude), longitude: rounded(longitude) })
    }

    /// The great-circle distance (haversine) in kilometres.
    pub(crate) fn kilometres(self, other: Self) -> f64 {
        let radians = |hundredths: i16| (f64::from(hundredths) / 100.0).to_radians();
        let (north, there) = (radians(self.latitude), radians(other.latitude));
        let east = radians(other.longitude) - radians(self.longitude);
        let half = |angle: f64| (angle / 2.0).sin().powi(2);
        let haversine = half(there - north) + north.cos() * there.cos() * half(east);
        2.0 * EARTH * haversine.sqrt().min(1.0).asin()
    }
}

/// What a change of device or network does to a refresh that is otherwise good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnChange {
    /// The audit trail tells of it.
    Note,
    /// It adds to the risk of the session as well.
    RaiseRisk,
    /// The refresh is refused, and changes nothing.
    Refuse,
}

/// The beginning of a text, at most so many characters.
pub(crate) fn bounded(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(latitude: f64, longitude: f64) -> Location {
        Location::from_degrees(latitude, longitude).unwrap()
    }

    #[test]
    fn distances_are_great_circles() {
        let (berlin, new_york) = (place(52.52, 13.40), place(40.71, -74.01));
        assert!((berlin.kilometres(new_york) - 6_385.0).abs() < 10.0);
        assert!((new_york.kilometres(berlin) - 6_385.0).abs() < 10.0);
        assert!(berlin.kilometres(berlin) < 0.001);
        assert!((place(0.0, 180.0).kilometres(place(0.0, -180.0))) < 0.001);
        assert!((place(90.0, 0.0).kilometres(place(-90.0, 0.0)) - 20_015.0).abs() < 1.0);
    }

    #[test]
    fn what_is_not_on_earth_is_no_place() {
        for (latitude, longitude) in
            [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)]
        {
            assert_eq!(Location::from_degrees(latitude, longitude), None);
        }
    }

    #[test]
    fn long_signals_are_cut() {
        let network = Some("é".repeat(1_000));
        let signals = Signals { network, ..Signals::default() }.bounded();
        assert_eq!(signals.network, Some("é".repeat(MAX_SIGNAL)));
    }
}
