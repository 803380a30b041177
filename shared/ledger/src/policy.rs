use serde::{Deserialize, Serialize};

use crate::{AuditLevel, Limits, Millis, OnChange};

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// The numbers that decide how long sessions live and how forgiving rotation is. All durations
/// are milliseconds. The policy travels with each command, so a deployment (or a client) can
/// change it without touching stored sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Active sessions that one user may hold.
    pub max_sessions: u16,
    /// What happens to the one session too many.
    pub on_limit: OnLimit,
    /// The same for the sessions of one client, besides that of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_limit: Option<SessionLimit>,
    /// A session without use for this long ends.
    pub idle: Millis,
    /// A session ends this long after its creation, used or not.
    pub absolute: Millis,
    /// `idle` for sessions with the `offline_access` scope.
    pub offline_idle: Millis,
    /// `absolute` for sessions with the `offline_access` scope.
    pub offline_absolute: Millis,
    /// How long after a rotation the previous refresh token still yields the same successor.
    pub grace: Millis,
    /// How long an ended session is remembered, so that late tokens are told apart from unknown ones.
    pub revocation_memory: Millis,
    /// Lifetime of an access token.
    pub access_token: Millis,
    /// What a refresh from another device means.
    pub on_device_change: OnChange,
    /// What a refresh from another network means.
    pub on_network_change: OnChange,
    /// From this score on, in thousandths, a session is flagged.
    pub risk_flag: u16,
    /// From this score on, in thousandths, a session is ended. No score is above 1000.
    pub risk_end: u16,
    /// Sessions created before this moment end at it, and their access tokens with them: for a
    /// deployment whose keys were stolen. A moment in the future works when it comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Millis>,
    /// A grant at the identity provider is renewed from this long before its access token expires.
    pub upstream_ahead: Millis,
    /// How often the clients of one person may do something.
    pub limits: Limits,
    /// What the audit trail is told.
    pub audit: AuditLevel,
    /// Whether what matters to others is announced to webhooks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub webhooks: bool,
}

/// How many sessions of one client a user may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLimit {
    /// Active ones.
    pub max: u16,
    /// What happens to the one too many.
    pub on_limit: OnLimit,
}

/// What happens when a user who holds `max_sessions` signs in once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// The session that has been idle longest ends.
    EvictLongestIdle,
    /// The new session is denied.
    Deny,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_sessions: 10,
            on_limit: OnLimit::EvictLongestIdle,
            client_limit: None,
            idle: 30 * MINUTE,
            absolute: DAY,
            offline_idle: 7 * DAY,
            offline_absolute: 30 * DAY,
            grace: 5 * MINUTE,
            revocation_memory: 7 * DAY,
            access_token: 15 * MINUTE,
            on_device_change: OnChange::RaiseRisk,
            on_network_change: OnChange::RaiseRisk,
            risk_flag: 500,
            risk_end: 800,
            not_before: None,
            upstream_ahead: 5 * MINUTE,
            limits: Limits::default(),
            audit: AuditLevel::Notable,
            webhooks: false,
        }
    }
}
