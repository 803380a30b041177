//! How much a session looks like somebody else's: a sum that a person can follow.
//!
//! Each reason has a weight in thousandths. It counts once, however often it fires, and for one
//! hour after it fired last; the score is the sum of those that count, at most 1000. Nothing else
//! enters it, so the reasons explain the score, and a person who travelled is left alone after an
//! hour. Only refreshes by the person's client feed it, and the score is judged at each of them.

use serde::{Deserialize, Serialize};

use crate::device::Seen;
use crate::step::Step;
use crate::{AuditKind, EndReason, Location, Millis, OnChange, Session, Signals};

/// How long a signal counts after it fired.
const MEMORY: Millis = 60 * 60_000;

/// Nearer than this, in kilometres, is not told apart by a location that is guessed from an address.
const SAME_AREA: f64 = 100.0;

/// Faster than this, in kilometres per hour, nobody travels.
const FASTEST: f64 = 900.0;

/// A rotation that follows the one before sooner than this is a rapid one.
const RAPID: Millis = 30_000;

/// So many rapid rotations in a row are a signal.
const MANY_RAPID: u8 = 5;

/// So many replays of one token are a signal: more than a client with many tabs makes.
pub(crate) const MANY_REPLAYS: u32 = 21;

/// Why a session looks risky.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskReason {
    /// It came from another network.
    NetworkChange,
    /// It came from another country.
    CountryChange,
    /// It came from another autonomous system.
    AsnChange,
    /// It came from a place that nobody reaches in the time since the last refresh.
    ImpossibleTravel,
    /// It came from another device.
    DeviceChange,
    /// It came from another user agent.
    UserAgentChange,
    /// It came with another language, time zone or screen.
    SurroundingsChange,
    /// Its tokens were rotated many times in a short time.
    Velocity,
    /// One of its tokens was replayed many times within the grace.
    GraceReplays,
}

impl RiskReason {
    /// What it adds to the score, in thousandths. Somebody who switches a VPN on in the middle of
    /// everything else stays below 800; another device in another country does not.
    pub const fn weight(self) -> u16 {
        match self {
            Self::NetworkChange | Self::SurroundingsChange | Self::GraceReplays => 50,
            Self::AsnChange | Self::Velocity => 100,
            Self::UserAgentChange => 150,
            Self::CountryChange => 200,
            Self::ImpossibleTravel => 250,
            Self::DeviceChange => 400,
        }
    }
}

/// How risky a session looks at some time, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Risk {
    /// In thousandths, 0 to 1000.
    pub per_mille: u16,
    /// What adds up to it.
    pub reasons: Vec<RiskReason>,
}

/// What a session remembers of its signals.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RiskMemory {
    /// Reasons and when they fired last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fired: Vec<(RiskReason, Millis)>,
    /// Whether the session is flagged: its score was judged to be high.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flagged: bool,
    /// Rapid rotations in a row.
    #[serde(skip_serializing_if = "is_zero")]
    pub rapid: u8,
}

impl RiskMemory {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn at(&self, now: Millis) -> Risk {
        let counting = self.fired.iter().filter(|(_, at)| now < at.saturating_add(MEMORY));
        let reasons: Vec<_> = counting.map(|(reason, _)| *reason).collect();
        let sum: u16 = reasons.iter().map(|reason| reason.weight()).sum();
        Risk { per_mille: sum.min(1000), reasons }
    }

    fn fire(&mut self, reason: RiskReason, now: Millis) {
        match self.fired.iter_mut().find(|(fired, _)| *fired == reason) {
            Some((_, at)) => *at = now,
            None => self.fired.push((reason, now)),
        }
    }
}

/// Judges a refresh that is about to be answered, and remembers where it came from. Ends the
/// session if it looks too risky; then the answer must not be given.
pub(crate) fn judge(session: &mut Session, signals: &Signals, replay: bool, step: &mut Step<'_>) {
    let mut fired = changes(session, signals, step);
    if replay {
        if session.replays >= MANY_REPLAYS {
            fired.push(RiskReason::GraceReplays);
        }
    } else {
        let rapid = step.now < session.rotated_at.saturating_add(RAPID);
        session.risk.rapid = if rapid { session.risk.rapid.saturating_add(1) } else { 0 };
        if session.risk.rapid >= MANY_RAPID {
            fired.push(RiskReason::Velocity);
        }
    }
    remember(session, signals, replay, step.now);
    session.risk.fired.retain(|(_, at)| step.now < at.saturating_add(MEMORY));
    for reason in fired {
        session.risk.fire(reason, step.now);
    }
    let risk = session.risk.at(step.now);
    let high = risk.per_mille >= step.policy.risk_flag;
    if high != session.risk.flagged {
        session.risk.flagged = high;
        let kind = if high { AuditKind::RiskFlagged } else { AuditKind::RiskCleared };
        step.tell_why(kind, session, Some(&explained(&risk)));
    }
    if risk.per_mille >= step.policy.risk_end {
        step.revoke(session, EndReason::Risk, Some(&explained(&risk)));
    }
}

/// The score and what it comes from, for the audit trail.
fn explained(risk: &Risk) -> String {
    let names = risk
        .reasons
        .iter()
        .filter_map(|reason| Some(serde_json::to_value(reason).ok()?.as_str()?.to_owned()));
    let names: Vec<_> = names.collect();
    format!("{}/1000: {}", risk.per_mille, names.join(" "))
}

/// Whether both are known and differ.
pub(crate) fn differs<T: PartialEq>(known: Option<&T>, told: Option<&T>) -> bool {
    matches!((known, told), (Some(known), Some(told)) if known != told)
}

/// What is different from the last time, told to the audit trail; returned as far as it weighs.
fn changes(session: &Session, signals: &Signals, step: &mut Step<'_>) -> Vec<RiskReason> {
    let policy = step.policy;
    let mut fired = Vec::new();
    for (reason, kind) in differences(session, signals, step.now) {
        if let Some(kind) = kind {
            step.tell(kind, session);
        }
        let on_change = match reason {
            RiskReason::DeviceChange => policy.on_device_change,
            RiskReason::NetworkChange => policy.on_network_change,
            _ => OnChange::RaiseRisk,
        };
        if on_change != OnChange::Note {
            fired.push(reason);
        }
    }
    fired
}

/// What is different from the last time, and what the audit trail calls it.
fn differences(
    session: &Session,
    signals: &Signals,
    now: Millis,
) -> impl Iterator<Item = (RiskReason, Option<AuditKind>)> {
    let seen = &session.seen;
    let device = session.is_other_device(signals);
    let network = differs(session.network.as_ref(), signals.network.as_ref());
    let country = differs(seen.country.as_ref(), signals.country.as_ref());
    let asn = differs(seen.asn.as_ref(), signals.asn.as_ref());
    let agent = differs(seen.user_agent_family.as_ref(), signals.user_agent_family.as_ref());
    let surroundings = differs(seen.surroundings.as_ref(), signals.surroundings.as_ref());
    let travel = impossible(seen.location, signals.location, now);
    let all = [
        (device, RiskReason::DeviceChange, Some(AuditKind::DeviceChanged)),
        (network, RiskReason::NetworkChange, Some(AuditKind::NetworkChanged)),
        (country, RiskReason::CountryChange, Some(AuditKind::CountryChanged)),
        (asn, RiskReason::AsnChange, None),
        (agent, RiskReason::UserAgentChange, None),
        (surroundings, RiskReason::SurroundingsChange, None),
        (travel, RiskReason::ImpossibleTravel, Some(AuditKind::ImpossibleTravel)),
    ];
    all.into_iter().filter(|(happened, ..)| *happened).map(|(_, reason, kind)| (reason, kind))
}

fn impossible(last: Option<(Location, Millis)>, here: Option<Location>, now: Millis) -> bool {
    let (Some((there, at)), Some(here)) = (last, here) else { return false };
    let distance = there.kilometres(here);
    #[expect(clippy::cast_precision_loss, reason = "exact for times of this epoch")]
    let hours = now.saturating_sub(at) as f64 / 3_600_000.0;
    distance > SAME_AREA && distance > FASTEST * hours
}

/// Keeps what was told. A replay leaves alone who made the rotation that it repeats, and the time
/// of a place that it only confirms, so that most replays write nothing.
fn remember(session: &mut Session, signals: &Signals, replay: bool, now: Millis) {
    fn take<T: Clone>(known: &mut Option<T>, told: &Option<T>) {
        if told.is_some() {
            known.clone_from(told);
        }
    }
    if !replay {
        take(&mut session.device.fingerprint, &signals.fingerprint);
        take(&mut session.seen.described, &signals.described);
    }
    take(&mut session.network, &signals.network);
    let Seen { surroundings, country, asn, user_agent_family, location, .. } = &mut session.seen;
    take(surroundings, &signals.surroundings);
    take(country, &signals.country);
    take(asn, &signals.asn);
    take(user_agent_family, &signals.user_agent_family);
    let confirmed = location.map(|(place, _)| place) == signals.location;
    if !(replay && confirmed) {
        take(location, &signals.location.map(|place| (place, now)));
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(number: &u8) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, kinds, ledger, refresh, run, run_by};
    use crate::{Applied, Command, Fingerprint, Ledger, Outcome, Policy, Refresh, Refusal};

    const HOUR: Millis = 60 * MINUTE;

    fn home() -> Signals {
        Signals {
            fingerprint: Some(Fingerprint::from_bytes([1; 16])),
            described: Some(Fingerprint::from_bytes([2; 16])),
            surroundings: Some(Fingerprint::from_bytes([3; 16])),
            network: Some("192.0.2.0/24".to_owned()),
            country: Some("DE".to_owned()),
            asn: Some(64_500),
            user_agent_family: Some("Firefox".to_owned()),
            location: Location::from_degrees(52.52, 13.40),
        }
    }

    fn abroad() -> Signals {
        Signals {
            network: Some("198.51.100.0/24".to_owned()),
            country: Some("US".to_owned()),
            asn: Some(64_501),
            location: Location::from_degrees(40.71, -74.01),
            ..home()
        }
    }

    /// A session whose first refresh came from home.
    fn settled() -> Ledger {
        let mut ledger = ledger(&[1]);
        at(&mut ledger, 0, home(), NOW);
        assert_eq!(risk(&ledger, NOW), Risk::default(), "what is learned first weighs nothing");
        ledger
    }

    fn at(ledger: &mut Ledger, counter: u32, signals: Signals, now: Millis) -> Applied {
        run(ledger, Command::Refresh(Refresh { signals, ..refresh(1, counter) }), now)
    }

    fn risk(ledger: &Ledger, now: Millis) -> Risk {
        ledger.sessions[0].risk.at(now)
    }

    #[test]
    fn a_sudden_journey_is_flagged_once_and_forgotten_after_an_hour() {
        let mut ledger = settled();
        let applied = at(&mut ledger, 1, abroad(), NOW + 10 * MINUTE);
        let told = [
            AuditKind::NetworkChanged,
            AuditKind::CountryChanged,
            AuditKind::ImpossibleTravel,
            AuditKind::RiskFlagged,
            AuditKind::TokenRotated,
        ];
        assert_eq!(kinds(&applied), told);
        let found = risk(&ledger, NOW + 10 * MINUTE);
        assert_eq!(found.per_mille, 600);
        let reasons = [
            RiskReason::NetworkChange,
            RiskReason::CountryChange,
            RiskReason::AsnChange,
            RiskReason::ImpossibleTravel,
        ];
        assert_eq!(found.reasons, reasons);
        let why = "600/1000: network_change country_change asn_change impossible_travel";
        assert_eq!(applied.events[3].reason.as_deref(), Some(why));
        let applied = at(&mut ledger, 2, abroad(), NOW + 15 * MINUTE);
        assert_eq!(kinds(&applied), [AuditKind::TokenRotated]);
        assert_eq!(risk(&ledger, NOW + 10 * MINUTE + HOUR), Risk::default());
        ledger.sessions[0].last_seen_at = NOW + HOUR;
        let applied = at(&mut ledger, 3, abroad(), NOW + 10 * MINUTE + HOUR);
        assert_eq!(kinds(&applied), [AuditKind::RiskCleared, AuditKind::TokenRotated]);
    }

    #[test]
    fn a_journey_that_an_aircraft_makes_is_possible() {
        let mut ledger = settled();
        ledger.sessions[0].last_seen_at = NOW + 7 * HOUR;
        at(&mut ledger, 1, abroad(), NOW + 7 * HOUR + 10 * MINUTE);
        let reasons = risk(&ledger, NOW + 7 * HOUR + 10 * MINUTE).reasons;
        assert!(!reasons.contains(&RiskReason::ImpossibleTravel), "{reasons:?}");
    }

    #[test]
    fn another_device_in_another_country_ends_the_session() {
        let mut ledger = settled();
        let thief = Signals {
            fingerprint: Some(Fingerprint::from_bytes([9; 16])),
            user_agent_family: Some("curl".to_owned()),
            ..abroad()
        };
        let applied = at(&mut ledger, 1, thief, NOW + 10 * MINUTE);
        let ended = Refusal::SessionEnded(EndReason::Risk);
        assert_eq!(applied.outcome, Outcome::Refused(ended));
        let end = applied.events.iter().find(|event| event.kind == AuditKind::RiskEnded);
        let why = end.and_then(|event| event.reason.as_deref()).unwrap();
        assert!(why.contains("/1000: device_change"), "{why}");
        assert_eq!(ledger.sessions[0].ended(), Some((NOW + 10 * MINUTE, EndReason::Risk)));
    }

    #[test]
    fn what_a_client_stops_telling_is_not_compared() {
        let mut ledger = settled();
        let applied = at(&mut ledger, 1, Signals::default(), NOW + MINUTE);
        assert_eq!(kinds(&applied), [AuditKind::TokenRotated]);
        assert_eq!(ledger.sessions[0].network, home().network, "and not forgotten");
        let applied = at(&mut ledger, 2, home(), NOW + 2 * MINUTE);
        assert_eq!(kinds(&applied), [AuditKind::TokenRotated]);
    }

    #[test]
    fn a_device_is_another_by_either_description_and_its_surroundings_weigh_little() {
        let other = Some(Fingerprint::from_bytes([9; 16]));
        for (signals, weight) in [
            (Signals { fingerprint: other, ..home() }, 400),
            (Signals { described: other, ..home() }, 400),
            (Signals { fingerprint: other, described: other, ..home() }, 400),
            (Signals { surroundings: other, ..home() }, 50),
            (Signals { described: None, surroundings: None, ..home() }, 0),
        ] {
            let mut ledger = settled();
            at(&mut ledger, 1, signals.clone(), NOW + 10 * MINUTE);
            assert_eq!(risk(&ledger, NOW + 10 * MINUTE).per_mille, weight, "{signals:?}");
            let again = at(&mut ledger, 2, signals, NOW + 11 * MINUTE);
            assert!(!kinds(&again).contains(&AuditKind::DeviceChanged), "it is known by now");
        }
    }

    #[test]
    fn a_replay_from_a_device_of_another_description_is_reuse() {
        let mut ledger = settled();
        at(&mut ledger, 1, home(), NOW + 1);
        let silent = Signals { described: None, ..home() };
        let applied = at(&mut ledger.clone(), 1, silent, NOW + 2);
        assert!(matches!(applied.outcome, Outcome::Issued(_)), "what is not told is not compared");
        let other = Signals { described: Some(Fingerprint::from_bytes([9; 16])), ..home() };
        let applied = at(&mut ledger, 1, other, NOW + 2);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::Reuse));
    }

    #[test]
    fn a_change_that_is_only_noted_weighs_nothing() {
        let note = OnChange::Note;
        let policy =
            Policy { on_device_change: note, on_network_change: note, ..Policy::default() };
        let mut ledger = settled();
        let fingerprint = Some(Fingerprint::from_bytes([9; 16]));
        let network = abroad().network;
        let signals = Signals { fingerprint, network, ..home() };
        let command = Refresh { signals, ..refresh(1, 1) };
        let now = NOW + MINUTE;
        let applied = run_by(&mut ledger, Command::Refresh(command), now, &policy);
        let told = [AuditKind::DeviceChanged, AuditKind::NetworkChanged, AuditKind::TokenRotated];
        assert_eq!(kinds(&applied), told);
        assert_eq!(risk(&ledger, now), Risk::default());
        assert_eq!(ledger.sessions[0].device.fingerprint, fingerprint);
    }

    #[test]
    fn a_refused_change_changes_nothing_in_any_path() {
        let refuse = OnChange::Refuse;
        let other = Signals { fingerprint: Some(Fingerprint::from_bytes([9; 16])), ..abroad() };
        let device = Policy { on_device_change: refuse, ..Policy::default() };
        let network = Policy { on_network_change: refuse, ..Policy::default() };
        for (policy, refusal) in
            [(device, Refusal::DeviceChanged), (network, Refusal::NetworkChanged)]
        {
            for counter in 0..4 {
                let mut ledger = settled();
                at(&mut ledger, 1, home(), NOW + 1);
                let before = ledger.sessions.clone();
                let command = Refresh { signals: other.clone(), ..refresh(1, counter) };
                let applied = run_by(&mut ledger, Command::Refresh(command), NOW + 2, &policy);
                assert_eq!(applied.outcome, Outcome::Refused(refusal));
                assert_eq!(ledger.sessions, before);
            }
        }
    }

    #[test]
    fn a_replay_from_another_known_device_is_reuse() {
        let other = Some(Fingerprint::from_bytes([9; 16]));
        for (fingerprint, reuse) in [(other, true), (None, false), (home().fingerprint, false)] {
            let mut ledger = settled();
            let applied = at(&mut ledger, 0, Signals { fingerprint, ..home() }, NOW + 1);
            assert_eq!(applied.outcome == Outcome::Refused(Refusal::Reuse), reuse);
            assert_eq!(ledger.sessions[0].is_active(), !reuse);
        }
    }

    #[test]
    fn a_replay_from_another_network_raises_the_risk() {
        let mut ledger = settled();
        at(&mut ledger, 0, Signals { network: abroad().network, ..home() }, NOW + 1);
        assert_eq!(risk(&ledger, NOW + 1).reasons, [RiskReason::NetworkChange]);
    }

    #[test]
    fn many_replays_of_one_token_and_many_rapid_rotations_are_signals() {
        let mut ledger = settled();
        for replay in 1..30 {
            let changed = at(&mut ledger, 0, home(), NOW + 1).changed;
            let told = risk(&ledger, NOW + 1).reasons.contains(&RiskReason::GraceReplays);
            assert_eq!(told, replay >= MANY_REPLAYS, "{replay}");
            assert_eq!(changed, replay <= MANY_REPLAYS, "{replay}: later ones write nothing");
        }
        let mut ledger = settled();
        for counter in 1..8 {
            at(&mut ledger, counter, home(), NOW + Millis::from(counter) * 29_999);
            let told = risk(&ledger, NOW).reasons.contains(&RiskReason::Velocity);
            // The very first rotation of the session was a rapid one, too.
            assert_eq!(told, counter >= 4, "{counter}");
        }
    }

    #[test]
    fn a_session_shows_its_last_refreshes_and_of_many_replays_the_first() {
        let mut ledger = settled();
        for counter in 1..4 {
            at(&mut ledger, counter, home(), NOW + Millis::from(counter));
        }
        at(&mut ledger, 3, home(), NOW + 4);
        at(&mut ledger, 3, home(), NOW + 5);
        at(&mut ledger, 3, Signals { network: abroad().network, ..home() }, NOW + 6);
        let applied = run(&mut ledger, Command::List, NOW + 7);
        let Outcome::Sessions(views) = applied.outcome else { panic!("a list") };
        let past: Vec<_> = views[0].refreshes.iter().map(|one| (one.at, one.repeated)).collect();
        let expected = [(1, false), (2, false), (3, false), (4, true), (6, true)];
        assert_eq!(past, expected.map(|(after, repeated)| (NOW + after, repeated)));
        assert_eq!(views[0].refreshes[4].network, abroad().network);
        assert_eq!((views[0].id, views[0].risk.per_mille), (id(1), 50));
    }
}
