//! The numbers of sessions: the deployment's, by its settings, and what a client has of its own.

use data::clients::ClientRecord;
use ledger::{AuditLevel, Limits, Millis, OnChange, OnLimit, Policy, SessionLimit};
use ports::config::{self, number};
use ports::{Config, ConfigError};
use serde::Deserialize;

use crate::Failure;
use crate::settings::public_url;

/// Read the deployment's policy.
///
/// # Errors
/// The first setting that is malformed or does not go with the others.
pub fn load(config: &impl Config) -> Result<Policy, ConfigError> {
    let defaults = Policy::default();
    let seconds = |setting, default| -> Result<Millis, ConfigError> {
        Ok(at_least_1::<u32>(config, setting)?.map_or(default, |some| u64::from(some) * 1000))
    };
    let policy = Policy {
        max_sessions: at_least_1(config, "SESSION_MAX")?.unwrap_or(defaults.max_sessions),
        on_limit: choice(config, "SESSION_ON_LIMIT", ON_LIMIT, "must be evict or deny")?
            .unwrap_or(defaults.on_limit),
        idle: seconds("SESSION_IDLE_SECONDS", defaults.idle)?,
        absolute: seconds("SESSION_ABSOLUTE_SECONDS", defaults.absolute)?,
        offline_idle: seconds("OFFLINE_IDLE_SECONDS", defaults.offline_idle)?,
        offline_absolute: seconds("OFFLINE_ABSOLUTE_SECONDS", defaults.offline_absolute)?,
        grace: seconds("REFRESH_GRACE_SECONDS", defaults.grace)?,
        revocation_memory: seconds("REVOCATION_MEMORY_SECONDS", defaults.revocation_memory)?,
        access_token: seconds("ACCESS_TOKEN_SECONDS", defaults.access_token)?,
        upstream_ahead: seconds("UPSTREAM_REFRESH_AHEAD_SECONDS", defaults.upstream_ahead)?,
        on_device_change: choice(config, "ON_DEVICE_CHANGE", ON_CHANGE, CHANGES)?
            .unwrap_or(defaults.on_device_change),
        on_network_change: choice(config, "ON_NETWORK_CHANGE", ON_CHANGE, CHANGES)?
            .unwrap_or(defaults.on_network_change),
        not_before: not_before(config)?,
        limits: Limits {
            tier: at_least_1(config, "RATE_LIMIT_TIER")?.unwrap_or(1),
            ..Limits::default()
        },
        audit: choice(config, "AUDIT_LEVEL", AUDIT, "must be off, notable or all")?
            .unwrap_or(defaults.audit),
        webhooks: webhooks::Settings::any(config, &public_url(config)?)?,
        ..defaults
    };
    if goes_together(&policy) {
        return Ok(policy);
    }
    let problem = "must be less than ACCESS_TOKEN_SECONDS";
    Err(ConfigError { setting: "REFRESH_GRACE_SECONDS", problem })
}

/// The deployment's policy with what is registered for a client in its place.
///
/// # Errors
/// [`Failure::Misconfigured`] for what is no policy.
pub(crate) fn of_client(policy: &Policy, record: &ClientRecord) -> Result<Policy, Failure> {
    let Some(own) = &record.policy else { return Ok(policy.clone()) };
    let bad = |why: &str| {
        Failure::Misconfigured(format!("the policy of client {}: {why}", record.client_id))
    };
    if !own.is_object() {
        // A struct would also be read from an array of its values.
        return Err(bad("not an object"));
    }
    let own = Own::deserialize(own).map_err(|error| bad(&error.to_string()))?;
    let merged = own.over(policy).ok_or_else(|| bad("a number is zero"))?;
    if goes_together(&merged) {
        Ok(merged)
    } else {
        Err(bad("refresh_grace_seconds must be less than access_token_seconds"))
    }
}

/// What a client may have of its own, under the names of the settings. How long ends are remembered
/// and what the audit trail is told are of the ledger as a whole, and so are not among it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Own {
    session_max: Option<u16>,
    session_on_limit: Option<Limit>,
    session_idle_seconds: Option<u32>,
    session_absolute_seconds: Option<u32>,
    offline_idle_seconds: Option<u32>,
    offline_absolute_seconds: Option<u32>,
    refresh_grace_seconds: Option<u32>,
    access_token_seconds: Option<u32>,
    rate_limit_tier: Option<u32>,
    on_device_change: Option<Change>,
    on_network_change: Option<Change>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Limit {
    Evict,
    Deny,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Change {
    Note,
    RaiseRisk,
    Refuse,
}

impl Own {
    /// `None` if a number is zero.
    fn over(&self, policy: &Policy) -> Option<Policy> {
        let seconds = |own: Option<u32>, default| match own {
            None => Some(default),
            Some(0) => None,
            Some(seconds) => Some(u64::from(seconds) * 1000),
        };
        let change = |own: Option<Change>, default| match own {
            None => default,
            Some(Change::Note) => OnChange::Note,
            Some(Change::RaiseRisk) => OnChange::RaiseRisk,
            Some(Change::Refuse) => OnChange::Refuse,
        };
        if self.session_max == Some(0) || self.rate_limit_tier == Some(0) {
            return None;
        }
        let tier = self.rate_limit_tier.unwrap_or(policy.limits.tier);
        Some(Policy {
            client_limit: self.limit(policy),
            idle: seconds(self.session_idle_seconds, policy.idle)?,
            absolute: seconds(self.session_absolute_seconds, policy.absolute)?,
            offline_idle: seconds(self.offline_idle_seconds, policy.offline_idle)?,
            offline_absolute: seconds(self.offline_absolute_seconds, policy.offline_absolute)?,
            grace: seconds(self.refresh_grace_seconds, policy.grace)?,
            access_token: seconds(self.access_token_seconds, policy.access_token)?,
            limits: Limits { tier, ..policy.limits.clone() },
            on_device_change: change(self.on_device_change, policy.on_device_change),
            on_network_change: change(self.on_network_change, policy.on_network_change),
            ..policy.clone()
        })
    }

    /// Of its own sessions; the deployment's limit holds for all together besides.
    fn limit(&self, policy: &Policy) -> Option<SessionLimit> {
        let on_limit = self.session_on_limit.map(|limit| match limit {
            Limit::Evict => OnLimit::EvictLongestIdle,
            Limit::Deny => OnLimit::Deny,
        });
        (self.session_max.is_some() || on_limit.is_some()).then(|| SessionLimit {
            max: self.session_max.unwrap_or(policy.max_sessions),
            on_limit: on_limit.unwrap_or(policy.on_limit),
        })
    }
}

/// A replay late in the grace must not hand out an access token that has expired.
const fn goes_together(policy: &Policy) -> bool {
    policy.grace < policy.access_token
}

const ON_LIMIT: &[(&str, OnLimit)] =
    &[("evict", OnLimit::EvictLongestIdle), ("deny", OnLimit::Deny)];
const AUDIT: &[(&str, AuditLevel)] =
    &[("off", AuditLevel::Off), ("notable", AuditLevel::Notable), ("all", AuditLevel::All)];
const CHANGES: &str = "must be note, raise-risk or refuse";
const ON_CHANGE: &[(&str, OnChange)] =
    &[("note", OnChange::Note), ("raise-risk", OnChange::RaiseRisk), ("refuse", OnChange::Refuse)];

fn choice<T: Copy>(
    config: &impl Config,
    setting: &'static str,
    known: &[(&str, T)],
    problem: &'static str,
) -> Result<Option<T>, ConfigError> {
    let find = |text: String| {
        let found = known.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or(ConfigError { setting, problem })
    };
    config.get(setting).map(find).transpose()
}

fn at_least_1<T: std::str::FromStr + Default + PartialEq>(
    config: &impl Config,
    setting: &'static str,
) -> Result<Option<T>, ConfigError> {
    match number(config, setting)? {
        Some(zero) if zero == T::default() => {
            Err(ConfigError { setting, problem: "must be at least 1" })
        }
        other => Ok(other),
    }
}

fn not_before(config: &impl Config) -> Result<Option<Millis>, ConfigError> {
    let (setting, problem) = ("NOT_BEFORE", "must be a time of RFC 3339 or seconds since 1970");
    let read = |text: String| config::moment(&text).ok_or(ConfigError { setting, problem });
    config.get(setting).map(read).transpose()
}
