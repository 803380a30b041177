use auth::issue::TokenResponse;
use auth::refresh::Refreshed;
use auth::settings::{ClientSettings, MintSettings};
use auth::{Failure, Settings, clients, device, exchange, refresh};
use host::{Endpoint, respond};
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use ledger::Device;
use oauth::form::Form;
use oauth::metadata::{REFRESH_TOKEN, TOKEN_EXCHANGE};
use oauth::{ErrorCode, OAuthError};
use observe::Facts;
use ports::route::{Function, Match, REFRESH};
use ports::{Config, ConfigError, Platform, Request, Response};

/// Grants: `POST /oauth/token` and, for the refresh grant alone, `POST /auth/token/refresh`.
pub(crate) struct Token;

pub(crate) struct TokenSettings {
    service: Settings,
    client: ClientSettings,
    mint: MintSettings,
}

impl Endpoint for Token {
    const FUNCTION: Function = Function::Token;
    type Settings = TokenSettings;

    fn configure(config: &impl Config) -> Result<TokenSettings, ConfigError> {
        Ok(TokenSettings {
            service: Settings::load(config)?,
            client: ClientSettings::load(config)?,
            mint: MintSettings::load(config)?,
        })
    }

    async fn handle(
        platform: &impl Platform,
        settings: &TokenSettings,
        found: &Match<'_>,
        request: &Request,
    ) -> Response {
        let refresh_only = found.route.path == REFRESH;
        let mut facts = Facts::default();
        let response = match grant(platform, settings, refresh_only, request, &mut facts).await {
            Ok(tokens) => respond::oauth(StatusCode::OK, &tokens),
            Err(failure) => respond::failure(failure, platform.now(), &mut facts),
        };
        respond::noted(response, facts)
    }
}

/// 1. read the form, 2. authenticate the client, 3. serve the grant.
async fn grant(
    platform: &impl Platform,
    settings: &TokenSettings,
    refresh_only: bool,
    request: &Request,
    facts: &mut Facts,
) -> Result<TokenResponse, Failure> {
    let TokenSettings { service, client, mint } = settings;
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let form = Form::parse(header(CONTENT_TYPE), request.body())?;
    let grant_type = grant_type(&form, refresh_only)?;
    let record =
        clients::authenticate(platform, &service.sql, client, header(AUTHORIZATION), &form).await?;
    facts.client_id = Some(record.client_id.clone());
    let (tokens, done) = match grant_type {
        Grant::Refresh => refresh::refresh(platform, service, client, mint, &record, &form).await?,
        Grant::Exchange => {
            let device = Device { label: device::label(header(USER_AGENT)), fingerprint: None };
            exchange::exchange(platform, service, client, mint, &record, device, &form).await?
        }
    };
    note(facts, done);
    Ok(tokens)
}

enum Grant {
    Refresh,
    Exchange,
}

fn grant_type(form: &Form, refresh_only: bool) -> Result<Grant, OAuthError> {
    match form.get("grant_type") {
        None if refresh_only => Ok(Grant::Refresh),
        None => Err(OAuthError::invalid_request("grant_type is missing")),
        Some(REFRESH_TOKEN) => Ok(Grant::Refresh),
        Some(TOKEN_EXCHANGE) if !refresh_only => Ok(Grant::Exchange),
        Some(_) => Err(OAuthError::new(
            ErrorCode::UnsupportedGrantType,
            "the grant type is not served here",
        )),
    }
}

fn note(facts: &mut Facts, done: Refreshed) {
    facts.session_id = Some(done.session);
    facts.outcome = Some(if done.repeated { "repeated" } else { "issued" }.to_owned());
}
