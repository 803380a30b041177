use auth::workos_events::{EventError, receive};
use host::respond;
use http::StatusCode;
use observe::Facts;
use ports::{Platform, Request, Response};

use crate::handler::SessionsSettings;

const SIGNATURE: &str = "workos-signature";

/// `POST /webhooks/workos`: WorkOS tells of the end of a sign-in or a person. Whatever is not 2xx it
/// sends again, for some days.
pub(crate) async fn webhook(
    platform: &impl Platform,
    settings: &SessionsSettings,
    request: &Request,
) -> Response {
    let Some(secret) = &settings.webhook_secret else {
        return respond::noted(respond::not_found(), Facts::outcome("webhook_not_configured"));
    };
    let signature = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok());
    match receive(platform, &settings.service, secret, signature, request.body()).await {
        Ok(outcome) => respond::noted(
            respond::json(StatusCode::OK, &serde_json::json!({ "outcome": outcome })),
            Facts::outcome(outcome),
        ),
        Err(error) => {
            let response = refuse(&error);
            let mut facts = response.extensions().get::<Facts>().cloned().unwrap_or_default();
            facts.cause = Some(error.to_string());
            respond::noted(response, facts)
        }
    }
}

fn refuse(error: &EventError) -> Response {
    match error {
        EventError::Signature(_) => respond::problem(
            StatusCode::UNAUTHORIZED,
            "invalid_signature",
            "the event carries no signature of WorkOS that is in force",
        ),
        EventError::Malformed => {
            respond::problem(StatusCode::BAD_REQUEST, "invalid_event", "not an event as documented")
        }
        EventError::Unavailable(_) => respond::unavailable(),
        EventError::Internal(_) => respond::internal(),
    }
}
