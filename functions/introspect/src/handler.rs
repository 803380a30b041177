use auth::introspect::{self, Introspected, Introspection};
use auth::settings::{ClientSettings, Introspector, Verifier};
use auth::{Failure, Settings, clients};
use host::{Endpoint, respond};
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use oauth::accept::preferred;
use oauth::form::Form;
use oauth::introspection_jwt;
use observe::Facts;
use ports::route::{Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};

/// `POST /auth/token/introspect`, RFC 7662 and RFC 9701.
pub(crate) struct Introspect;

pub(crate) struct IntrospectSettings {
    service: Settings,
    client: ClientSettings,
    verifier: Verifier,
    introspector: Introspector,
}

impl Endpoint for Introspect {
    const FUNCTION: Function = Function::Introspect;
    type Settings = IntrospectSettings;

    fn configure(config: &impl Config) -> Result<IntrospectSettings, ConfigError> {
        Ok(IntrospectSettings {
            service: Settings::load(config)?,
            client: ClientSettings::load(config)?,
            verifier: Verifier::load(config)?,
            introspector: Introspector::load(config)?,
        })
    }

    async fn handle(
        platform: &impl Platform,
        settings: &IntrospectSettings,
        _found: &Match<'_>,
        request: &Request,
    ) -> Response {
        let mut facts = Facts::default();
        let response = match introspect(platform, settings, request, &mut facts).await {
            Ok(answer) => answer,
            Err(failure) => respond::failure(failure, platform.now(), &mut facts),
        };
        respond::noted(response, facts)
    }
}

/// 1. read the form, 2. authenticate the caller, 3. look at the token (RFC 7662 section 2), 4. answer
///    in the form that the caller prefers (RFC 9701 section 4).
async fn introspect(
    platform: &impl Platform,
    settings: &IntrospectSettings,
    request: &Request,
    facts: &mut Facts,
) -> Result<Response, Failure> {
    let IntrospectSettings { service, client, verifier, introspector } = settings;
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let form = Form::parse(header(CONTENT_TYPE), request.body())?;
    let caller = clients::authenticate(platform, service, client, request.headers(), &form).await?;
    facts.client_id = Some(caller.client_id.clone());
    let Introspected { answer, outcome, budget } =
        introspect::introspect(platform, service, client, verifier, introspector, &caller, &form)
            .await?;
    facts.outcome = Some(outcome.to_owned());
    if let Introspection::Active(active) = &answer {
        facts.session_id = Some(active.sid.to_string());
    }
    let response = if wants_jwt(request) {
        let jwt = introspect::sign(platform, service, introspector, &caller, &answer).await?;
        respond::oauth_text(introspection_jwt::MEDIA_TYPE, jwt)
    } else {
        respond::oauth(StatusCode::OK, &answer)
    };
    Ok(respond::budgeted(response, budget, platform.now()))
}

fn wants_jwt(request: &Request) -> bool {
    let values = request.headers().get_all(ACCEPT).into_iter();
    let accept: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    preferred(&accept.join(","), &["application/json", introspection_jwt::MEDIA_TYPE]) == 1
}
