use auth::settings::{ClientSettings, Verifier};
use auth::{Failure, Settings, clients, revoke};
use host::{Endpoint, respond};
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use oauth::form::Form;
use observe::Facts;
use ports::route::{Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};

/// `POST /auth/token/revoke`, RFC 7009.
pub(crate) struct Revoke;

pub(crate) struct RevokeSettings {
    service: Settings,
    client: ClientSettings,
    verifier: Verifier,
}

impl Endpoint for Revoke {
    const FUNCTION: Function = Function::Revoke;
    type Settings = RevokeSettings;

    fn configure(config: &impl Config) -> Result<RevokeSettings, ConfigError> {
        Ok(RevokeSettings {
            service: Settings::load(config)?,
            client: ClientSettings::load(config)?,
            verifier: Verifier::load(config)?,
        })
    }

    async fn handle(
        platform: &impl Platform,
        settings: &RevokeSettings,
        _found: &Match<'_>,
        request: &Request,
    ) -> Response {
        let mut facts = Facts::default();
        let response = match revoke(platform, settings, request, &mut facts).await {
            Ok(()) => respond::oauth(StatusCode::OK, &serde_json::json!({})),
            Err(failure) => respond::failure(failure, platform.now(), &mut facts),
        };
        respond::noted(response, facts)
    }
}

/// 1. read the form, 2. authenticate the client, 3. revoke the token (RFC 7009 section 2.1).
async fn revoke(
    platform: &impl Platform,
    settings: &RevokeSettings,
    request: &Request,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let RevokeSettings { service, client, verifier } = settings;
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let form = Form::parse(header(CONTENT_TYPE), request.body())?;
    let record =
        clients::authenticate(platform, &service.sql, client, header(AUTHORIZATION), &form).await?;
    facts.client_id = Some(record.client_id.clone());
    let revoked = revoke::revoke(platform, service, client, verifier, &record, &form).await?;
    facts.session_id = revoked.session;
    facts.outcome = Some(revoked.outcome.to_owned());
    Ok(())
}
