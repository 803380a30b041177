use ledger::{Actor, AuditEvent, AuditOutcome, Link, Millis};
use serde::Serialize;

/// What is told, in the shape that Standard Webhooks recommends.
#[derive(Debug, Serialize)]
pub struct Message<'a> {
    /// What happened, by its name in the audit trail.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When, RFC 3339 in UTC.
    timestamp: String,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    /// The person, as the claim `sub` names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    /// The session, as the claim `sid` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    /// In which organization the person was.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<&'a str>,
    /// Who caused it: `client`, `operator`, `resource_server` or `service`.
    actor: &'static str,
    /// `success`, `refused` or `alert`.
    outcome: AuditOutcome,
    /// In the words of whoever asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// Of an event in the ledger of a person.
    pub fn of(owner: Option<&'a str>, event: &'a AuditEvent) -> Self {
        Self {
            kind: event.kind.as_str(),
            timestamp: rfc3339(event.at),
            data: Data {
                user_id: owner,
                session_id: event.session.map(|session| session.to_string()),
                client_id: event.client_id.as_deref(),
                organization_id: event.organization.as_deref(),
                actor: match event.actor {
                    Actor::Client => "client",
                    Actor::Operator(_) => "operator",
                    Actor::ResourceServer(_) => "resource_server",
                    Actor::Service => "service",
                },
                outcome: event.outcome,
                reason: event.reason.as_deref(),
                request_id: event.request_id.as_deref(),
                trace_id: event.trace_id.as_deref(),
            },
        }
    }

    /// The body: the bytes that are signed and sent, the same in every attempt.
    pub fn to_json(&self) -> Vec<u8> {
        // Plain text and numbers always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The header `webhook-id` of an announcement.
    pub fn id(of: &Link) -> String {
        format!("msg_{of}")
    }
}

/// A moment as text. Days are counted as in H. Hinnant's `civil_from_days`, from 0000-03-01 on.
fn rfc3339(at: Millis) -> String {
    let (seconds, milliseconds) = (at / 1000, at % 1000);
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + later;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use ledger::{AuditKind, SessionId};

    use super::*;

    #[test]
    fn moments_are_told_as_the_calendar_has_them() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_780_000_000_123, "2026-05-28T20:26:40.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(at), text);
        }
    }

    #[test]
    fn a_message_says_what_happened_to_whom_and_who_caused_it() {
        let event = AuditEvent {
            id: 7,
            kind: AuditKind::ReuseDetected,
            at: 1_780_000_000_123,
            session: Some(SessionId::from_bytes([0xab; 16])),
            client_id: Some("atoms-web".to_owned()),
            organization: Some("org_1".to_owned()),
            device: Some("Firefox on Linux".to_owned()),
            network: Some("192.0.2.0/24".to_owned()),
            actor: Actor::Operator("ada@example.com".to_owned()),
            outcome: AuditOutcome::Alert,
            reason: None,
            request_id: Some("req".to_owned()),
            trace_id: None,
            count: 1,
        };
        let text = String::from_utf8(Message::of(Some("user_1"), &event).to_json()).unwrap();
        let expected = format!(
            r#"{{"type":"token.reuse_detected","timestamp":"2026-05-28T20:26:40.123Z","data":{{"user_id":"user_1","session_id":"{}","client_id":"atoms-web","organization_id":"org_1","actor":"operator","outcome":"alert","request_id":"req"}}}}"#,
            "ab".repeat(16)
        );
        assert_eq!(text, expected);
        assert_eq!(Message::id(&Link::from_bytes([1; 32])), format!("msg_{}", "01".repeat(32)));
    }
}
