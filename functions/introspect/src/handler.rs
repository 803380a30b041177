use auth::introspect::{self, Introspection};
use auth::settings::{ClientSettings, Verifier};
use auth::{Failure, Settings, clients};
use host::{Endpoint, respond};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use oauth::form::Form;
use observe::Facts;
use ports::route::{Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};

/// `POST /auth/token/introspect`, RFC 7662.
pub(crate) struct Introspect;

pub(crate) struct IntrospectSettings {
    service: Settings,
    client: ClientSettings,
    verifier: Verifier,
}

impl Endpoint for Introspect {
    const FUNCTION: Function = Function::Introspect;
    type Settings = IntrospectSettings;

    fn configure(config: &impl Config) -> Result<IntrospectSettings, ConfigError> {
        Ok(IntrospectSettings {
            service: Settings::load(config)?,
            client: ClientSettings::load(config)?,
            verifier: Verifier::load(config)?,
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
            Ok(answer) => respond::oauth(StatusCode::OK, &answer),
            Err(failure) => respond::failure(failure, platform.now(), &mut facts),
        };
        respond::noted(response, facts)
    }
}

/// 1. read the form, 2. authenticate the caller, 3. ask the ledger (RFC 7662 section 2).
async fn introspect(
    platform: &impl Platform,
    settings: &IntrospectSettings,
    request: &Request,
    facts: &mut Facts,
) -> Result<Introspection, Failure> {
    let IntrospectSettings { service, client, verifier } = settings;
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let form = Form::parse(header(CONTENT_TYPE), request.body())?;
    let record =
        clients::authenticate(platform, &service.sql, client, request.headers(), &form).await?;
    facts.client_id = Some(record.client_id.clone());
    let (answer, outcome) =
        introspect::introspect(platform, service, client, verifier, &record, &form).await?;
    facts.outcome = Some(outcome.to_owned());
    if let Introspection::Active(active) = &answer {
        facts.session_id = Some(active.sid.to_string());
    }
    Ok(answer)
}
