use auth::login::LoginSettings;
use auth::operator::Operators;
use auth::revoke::reason;
use auth::sessions::{self, Acting, Caller, SessionEntry, SessionsError};
use auth::settings::{ResourceSettings, webhook_secret};
use auth::{Settings, audit};
use host::{Endpoint, respond};
use http::{Method, StatusCode};
use oauth::form::Form;
use oauth::{OAuthError, scope};
use observe::Facts;
use ports::route::{
    ACCOUNT, ACCOUNT_APPS, ACCOUNT_OTHERS, ACCOUNT_SESSION, ACCOUNT_SIGN_OUT, AUDIT, Function,
    Match, REVOKE_ALL, WORKOS_WEBHOOK,
};
use ports::{Config, ConfigError, Platform, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{account, workos};

/// `/auth/sessions*` and `/auth/audit`: what a person sees and ends of their own sessions, and what
/// has happened to them; operators of anybody's. `/account`: the same as a page, for whoever is signed in
/// in the browser. `/webhooks/workos`: what their identity provider ends of them.
pub(crate) struct Sessions;

pub(crate) struct SessionsSettings {
    pub(crate) service: Settings,
    resource: ResourceSettings,
    operators: Operators,
    pub(crate) login: LoginSettings,
    pub(crate) webhook_secret: Option<String>,
}

impl Endpoint for Sessions {
    const FUNCTION: Function = Function::Sessions;
    type Settings = SessionsSettings;

    fn configure(config: &impl Config) -> Result<SessionsSettings, ConfigError> {
        Ok(SessionsSettings {
            service: Settings::load(config)?,
            resource: ResourceSettings::load(config)?,
            operators: Operators::load(config)?,
            login: LoginSettings::load(config)?,
            webhook_secret: webhook_secret(config)?,
        })
    }

    async fn handle(
        platform: &impl Platform,
        settings: &SessionsSettings,
        found: &Match<'_>,
        request: &Request,
    ) -> Response {
        match found.route.path {
            WORKOS_WEBHOOK => return workos::webhook(platform, settings, request).await,
            ACCOUNT | ACCOUNT_SESSION | ACCOUNT_OTHERS | ACCOUNT_APPS | ACCOUNT_SIGN_OUT => {
                return account::answer(platform, settings, found, request).await;
            }
            _ => {}
        }
        let mut facts = Facts::default();
        let now = platform.now();
        let response = match answer(platform, settings, found, request, &mut facts).await {
            Ok(response) => respond::noted(response, facts),
            Err(Refusal::Request(detail)) => {
                respond::problem(StatusCode::BAD_REQUEST, "invalid_request", detail)
            }
            Err(Refusal::Sessions(error)) => {
                respond::sessions(&settings.service.issuer, request, &error, now, facts)
            }
        };
        respond::nonced(response, request, &settings.resource.nonces, now)
    }
}

/// Why a request is not answered.
enum Refusal {
    /// It cannot be read.
    Request(&'static str),
    Sessions(SessionsError),
}

impl From<SessionsError> for Refusal {
    fn from(error: SessionsError) -> Self {
        Self::Sessions(error)
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self::Request(error.description)
    }
}

#[derive(Serialize)]
struct Listing {
    sessions: Vec<SessionEntry>,
}

const BODY: &str = "the body, if any, is a JSON object with the boolean except_current and the texts \
                    reason and user";

/// The body of `revoke-all`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct EndAll {
    #[serde(default)]
    except_current: bool,
    reason: Option<String>,
    user: Option<String>,
}

/// 1. let the caller in, 2. read what they ask for, 3. for themselves or, as operators, for whom,
/// 4. do it.
async fn answer(
    platform: &impl Platform,
    settings: &SessionsSettings,
    found: &Match<'_>,
    request: &Request,
    facts: &mut Facts,
) -> Result<Response, Refusal> {
    let SessionsSettings { service, resource, operators, .. } = settings;
    let scope = match found.route.path {
        AUDIT => scope::AUDIT_READ,
        _ => sessions::scope_for(matches!(*request.method(), Method::GET | Method::HEAD)),
    };
    let caller = sessions::enter(platform, service, resource, operators, request, scope).await?;
    note(facts, &caller);
    if found.route.path == AUDIT {
        let query = audit::Query::parse(request.uri().query())?;
        let acting = caller.acting(service, query.user.as_deref())?;
        let page = audit::list(platform, service, &acting.person, query).await?;
        return Ok(respond::json(StatusCode::OK, &page));
    }
    let query = Form::of_query(request.uri().query())?;
    let acting = |user: Option<&str>| caller.acting(service, user.or(query.get("user")));
    if let Some(session) = found.id {
        let (acting, reason) = (acting(None)?, reason(query.get("reason"))?);
        let done = sessions::end(platform, service, &acting, session, reason).await?;
        let response = respond::empty(StatusCode::NO_CONTENT);
        return Ok(respond::budgeted(response, done.budget, platform.now()));
    }
    if found.route.path == REVOKE_ALL {
        let Ok(asked) = body(request.body()) else {
            return Ok(respond::problem(StatusCode::BAD_REQUEST, "invalid_body", BODY));
        };
        let acting = acting(asked.user.as_deref())?;
        return end_all(platform, service, &acting, &asked).await;
    }
    let done = sessions::list(platform, service, &acting(None)?).await?;
    let response = respond::json(StatusCode::OK, &Listing { sessions: done.value });
    Ok(respond::budgeted(response, done.budget, platform.now()))
}

async fn end_all(
    platform: &impl Platform,
    settings: &Settings,
    acting: &Acting,
    asked: &EndAll,
) -> Result<Response, Refusal> {
    let why = reason(asked.reason.as_deref())?;
    let done = sessions::end_all(platform, settings, acting, asked.except_current, why).await?;
    let response = respond::json(StatusCode::OK, &json!({ "revoked": done.value }));
    Ok(respond::budgeted(response, done.budget, platform.now()))
}

fn note(facts: &mut Facts, caller: &Caller) {
    match caller {
        Caller::Person(person) => {
            facts.client_id = Some(person.bearer.claims.client_id.clone());
            facts.session_id = Some(person.bearer.claims.sid.to_string());
        }
        Caller::Operator(_) => facts.outcome = Some("operator".to_owned()),
    }
}

fn body(bytes: &[u8]) -> Result<EndAll, serde_json::Error> {
    if bytes.is_empty() {
        return Ok(EndAll::default());
    }
    // An object first: a struct would also be read from an array of its values.
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes)?;
    serde_json::from_value(members.into())
}
