//! The model of risk: which reasons a refresh gives, and what they add up to.

use ledger::{AuditKind, Fingerprint, Millis, OnChange, Policy, Risk, RiskReason, Signals};

const HOUR: Millis = 60 * 60_000;

/// What a session's refreshes have looked like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Suspicion {
    pub(crate) device: Option<Fingerprint>,
    pub(crate) network: Option<String>,
    pub(crate) country: Option<String>,
    fired: Vec<(RiskReason, Millis)>,
    flagged: bool,
    rapid: u32,
    pub(crate) replays: u32,
}

impl Suspicion {
    pub(crate) fn new(signals: &Signals) -> Self {
        let Signals { fingerprint, network, country, .. } = signals.clone();
        Self { device: fingerprint, network, country, ..Self::default() }
    }

    pub(crate) fn is_other_device(&self, signals: &Signals) -> bool {
        self.device.is_some() && signals.fingerprint.is_some() && self.device != signals.fingerprint
    }

    pub(crate) fn is_other_network(&self, signals: &Signals) -> bool {
        self.network.is_some() && signals.network.is_some() && self.network != signals.network
    }

    /// A refresh is about to be answered, `since` the last rotation; says what is told, and whether
    /// it is too much.
    pub(crate) fn meet(
        &mut self,
        signals: &Signals,
        replay: bool,
        last: Millis,
        now: Millis,
        policy: &Policy,
    ) -> (Vec<AuditKind>, bool) {
        let mut told = Vec::new();
        let mut reasons = Vec::new();
        if self.is_other_device(signals) {
            told.push(AuditKind::DeviceChanged);
            if policy.on_device_change != OnChange::Note {
                reasons.push(RiskReason::DeviceChange);
            }
        }
        if self.is_other_network(signals) {
            told.push(AuditKind::NetworkChanged);
            if policy.on_network_change != OnChange::Note {
                reasons.push(RiskReason::NetworkChange);
            }
        }
        if self.country.is_some() && signals.country.is_some() && self.country != signals.country {
            told.push(AuditKind::CountryChanged);
            reasons.push(RiskReason::CountryChange);
        }
        if replay {
            self.replays += 1;
            reasons.extend((self.replays > 20).then_some(RiskReason::GraceReplays));
        } else {
            self.rapid = if now < last + 30_000 { self.rapid + 1 } else { 0 };
            reasons.extend((self.rapid >= 5).then_some(RiskReason::Velocity));
            self.device = signals.fingerprint.or(self.device);
        }
        self.network = signals.network.clone().or(self.network.take());
        self.country = signals.country.clone().or(self.country.take());
        self.fired.retain(|(reason, at)| now < at + HOUR && !reasons.contains(reason));
        self.fired.extend(reasons.into_iter().map(|reason| (reason, now)));
        let score = self.score(now);
        if (score >= policy.risk_flag) != self.flagged {
            self.flagged = !self.flagged;
            told.push(if self.flagged { AuditKind::RiskFlagged } else { AuditKind::RiskCleared });
        }
        (told, score >= policy.risk_end)
    }

    fn score(&self, now: Millis) -> u16 {
        let fired = self.fired.iter().filter(|(_, at)| now < at + HOUR);
        let weight = |reason: RiskReason| match reason {
            RiskReason::DeviceChange => 400,
            RiskReason::CountryChange => 200,
            RiskReason::NetworkChange | RiskReason::GraceReplays => 50,
            RiskReason::Velocity => 100,
            other => unreachable!("{other:?} is not in the histories"),
        };
        fired.map(|(reason, _)| weight(*reason)).sum::<u16>().min(1000)
    }

    /// Whether this is what the ledger shows, in whatever order.
    pub(crate) fn explains(&self, risk: &Risk, now: Millis) -> bool {
        let mut counting = self.fired.iter().filter(|(_, at)| now < at + HOUR);
        risk.per_mille == self.score(now)
            && risk.reasons.len() == counting.clone().count()
            && counting.all(|(reason, _)| risk.reasons.contains(reason))
    }
}
