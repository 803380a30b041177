use auth::bearer::{Bearer, BearerError};
use auth::sessions::{self, SessionEntry, SessionsError};
use auth::settings::Verifier;
use auth::{Settings, audit};
use host::Endpoint;
use host::respond::{self, Challenge};
use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use oauth::scope;
use observe::Facts;
use ports::route::{AUDIT, Function, Match, PROTECTED_RESOURCE_METADATA, REVOKE_ALL};
use ports::{Config, ConfigError, Millis, Platform, Request, Response};
use serde::{Deserialize, Serialize};

/// `/auth/sessions*` and `/auth/audit`: what a person sees and ends of their own sessions, and what
/// has happened to them.
pub(crate) struct Sessions;

pub(crate) struct SessionsSettings {
    service: Settings,
    verifier: Verifier,
}

impl Endpoint for Sessions {
    const FUNCTION: Function = Function::Sessions;
    type Settings = SessionsSettings;

    fn configure(config: &impl Config) -> Result<SessionsSettings, ConfigError> {
        Ok(SessionsSettings { service: Settings::load(config)?, verifier: Verifier::load(config)? })
    }

    async fn handle(
        platform: &impl Platform,
        settings: &SessionsSettings,
        found: &Match<'_>,
        request: &Request,
    ) -> Response {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let scope = match found.route.path {
            AUDIT => scope::AUDIT_READ,
            _ => sessions::scope_for(reads),
        };
        let authorization =
            request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let SessionsSettings { service, verifier } = settings;
        let caller = sessions::authorize(platform, service, verifier, authorization, scope).await;
        let mut facts = Facts::default();
        let answered = match caller {
            Ok(caller) => {
                facts.client_id = Some(caller.claims.client_id.clone());
                facts.session_id = Some(caller.claims.sid.to_string());
                answer(platform, service, found, request, &caller).await
            }
            Err(error) => Err(error),
        };
        match answered {
            Ok(response) => respond::noted(response, facts),
            Err(error) => refuse(service, &error, platform.now(), facts),
        }
    }
}

#[derive(Serialize)]
struct Listing {
    sessions: Vec<SessionEntry>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct EndAll {
    #[serde(default)]
    except_current: bool,
}

async fn answer(
    platform: &impl Platform,
    settings: &Settings,
    found: &Match<'_>,
    request: &Request,
    caller: &Bearer,
) -> Result<Response, SessionsError> {
    if found.route.path == AUDIT {
        let query = audit::Query::parse(request.uri().query())?;
        let page = audit::list(platform, settings, caller, query).await?;
        return Ok(respond::json(StatusCode::OK, &page));
    }
    if let Some(session) = found.id {
        sessions::end(platform, settings, caller, session).await?;
        return Ok(respond::empty(StatusCode::NO_CONTENT));
    }
    if found.route.path == REVOKE_ALL {
        let Ok(EndAll { except_current }) = body(request.body()) else {
            let detail = "the body, if any, is a JSON object with the boolean except_current";
            return Ok(respond::problem(StatusCode::BAD_REQUEST, "invalid_body", detail));
        };
        let revoked = sessions::end_all(platform, settings, caller, except_current).await?;
        return Ok(respond::json(StatusCode::OK, &serde_json::json!({ "revoked": revoked })));
    }
    let sessions = sessions::list(platform, settings, caller).await?;
    Ok(respond::json(StatusCode::OK, &Listing { sessions }))
}

fn body(bytes: &[u8]) -> Result<EndAll, serde_json::Error> {
    if bytes.is_empty() {
        return Ok(EndAll::default());
    }
    // An object first: a struct would also be read from an array of its values.
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes)?;
    serde_json::from_value(members.into())
}

fn refuse(settings: &Settings, error: &SessionsError, now: Millis, mut facts: Facts) -> Response {
    let metadata = format!("{}{PROTECTED_RESOURCE_METADATA}", settings.issuer);
    facts.cause = Some(error.to_string());
    let response = match error {
        SessionsError::Bearer(BearerError::Missing) => {
            respond::unauthorized(&Challenge { metadata: &metadata, scope: None }, false)
        }
        SessionsError::Bearer(BearerError::Invalid(_)) => {
            respond::unauthorized(&Challenge { metadata: &metadata, scope: None }, true)
        }
        SessionsError::Scope(scope) => {
            respond::insufficient_scope(&Challenge { metadata: &metadata, scope: Some(scope) })
        }
        SessionsError::ThirdParty => respond::problem(
            StatusCode::FORBIDDEN,
            "first_party_only",
            "only first-party clients may manage sessions and read the audit trail",
        ),
        SessionsError::NotFound => respond::problem(
            StatusCode::NOT_FOUND,
            "session_not_found",
            "the caller has no active session of this id",
        ),
        SessionsError::Filter(detail) => {
            respond::problem(StatusCode::BAD_REQUEST, "invalid_filter", detail)
        }
        SessionsError::Limited(budget) => respond::too_many(budget, now),
        SessionsError::Unavailable(_) | SessionsError::Bearer(BearerError::Unavailable(_)) => {
            respond::unavailable()
        }
        SessionsError::Internal(_) | SessionsError::Bearer(BearerError::Internal(_)) => {
            respond::internal()
        }
    };
    respond::noted(response, facts)
}
