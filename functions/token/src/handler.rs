use auth::issue::TokenResponse;
use auth::refresh::Refreshed;
use auth::sessions::{self, SessionsError};
use auth::settings::{ClientSettings, MintSettings, ResourceSettings};
use auth::visitor::Visitor;
use auth::{
    Failure, Settings, authorization_code, client_credentials, clients, exchange, extend, proof,
    refresh,
};
use host::{Endpoint, respond};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use oauth::form::Form;
use oauth::metadata::{AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN, TOKEN_EXCHANGE};
use oauth::{ErrorCode, OAuthError, scope};
use observe::Facts;
use ports::route::{EXTEND, Function, Match, REFRESH};
use ports::{Config, ConfigError, Platform, Request, Response};

/// Grants: `POST /oauth/token`, for the refresh grant alone `POST /auth/token/refresh`, and
/// `POST /auth/sessions/{id}/extend`, which mints too.
pub(crate) struct Token;

pub(crate) struct TokenSettings {
    service: Settings,
    client: ClientSettings,
    mint: MintSettings,
    resource: ResourceSettings,
}

impl Endpoint for Token {
    const FUNCTION: Function = Function::Token;
    type Settings = TokenSettings;

    fn configure(config: &impl Config) -> Result<TokenSettings, ConfigError> {
        Ok(TokenSettings {
            service: Settings::load(config)?,
            client: ClientSettings::load(config)?,
            mint: MintSettings::load(config)?,
            resource: ResourceSettings::load(config)?,
        })
    }

    async fn handle(
        platform: &impl Platform,
        settings: &TokenSettings,
        found: &Match<'_>,
        request: &Request,
    ) -> Response {
        let response = match found.route.path {
            EXTEND => {
                let id = found.id.unwrap_or_default();
                prolonged(platform, settings, id, request).await
            }
            path => granted(platform, settings, path == REFRESH, request).await,
        };
        respond::nonced(response, request, &settings.resource.nonces, platform.now())
    }
}

async fn prolonged(
    platform: &impl Platform,
    settings: &TokenSettings,
    id: &str,
    request: &Request,
) -> Response {
    let mut facts = Facts::default();
    match prolong(platform, settings, id, request, &mut facts).await {
        Ok((tokens, done)) => issued(platform, &tokens, done, facts),
        Err(error) => {
            let issuer = &settings.service.issuer;
            respond::sessions(issuer, request, &error, platform.now(), facts)
        }
    }
}

async fn granted(
    platform: &impl Platform,
    settings: &TokenSettings,
    refresh_only: bool,
    request: &Request,
) -> Response {
    let mut facts = Facts::default();
    match grant(platform, settings, refresh_only, request, &mut facts).await {
        Ok((tokens, done)) => issued(platform, &tokens, done, facts),
        Err(failure) => {
            let response = respond::failure(failure, platform.now(), &mut facts);
            respond::noted(response, facts)
        }
    }
}

/// 1. let the person in, 2. start a new generation of their session.
async fn prolong(
    platform: &impl Platform,
    settings: &TokenSettings,
    id: &str,
    request: &Request,
    facts: &mut Facts,
) -> Result<(TokenResponse, Refreshed), SessionsError> {
    let TokenSettings { service, client, mint, resource } = settings;
    let needed = scope::SESSIONS_WRITE;
    let person = sessions::authorize(platform, service, resource, request, needed).await?;
    facts.client_id = Some(person.record.client_id.clone());
    extend::extend(platform, service, client, mint, &person, id).await
}

/// 1. read the form, 2. look at who calls, and which key they prove to hold, 3. authenticate the client,
/// 4. serve the grant.
async fn grant(
    platform: &impl Platform,
    settings: &TokenSettings,
    refresh_only: bool,
    request: &Request,
    facts: &mut Facts,
) -> Result<(TokenResponse, Refreshed), Failure> {
    let TokenSettings { service, client, mint, resource } = settings;
    let headers = request.headers();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let form = Form::parse(content_type, request.body())?;
    let grant_type = grant_type(&form, refresh_only)?;
    let mut visitor = Visitor::of(request, &form, client, mint)?;
    // Before the client is authenticated: who has to come again with a nonce has used up nothing.
    visitor.proof = proof::check(platform, service, &resource.nonces, request, None).await?;
    let record = clients::authenticate(platform, service, client, headers, &form).await?;
    facts.client_id = Some(record.client_id.clone());
    proof::required(&record, visitor.proof.as_ref())?;
    match grant_type {
        Grant::Refresh => {
            refresh::refresh(platform, service, client, mint, &record, &visitor, &form).await
        }
        Grant::Code => {
            authorization_code::redeem(platform, service, client, mint, &record, &visitor, &form)
                .await
        }
        Grant::Client => {
            client_credentials::issue(platform, service, client, mint, &record, &visitor, &form)
                .await
        }
        Grant::Exchange => {
            exchange::exchange(platform, service, client, mint, &record, &visitor, &form).await
        }
    }
}

enum Grant {
    Code,
    Client,
    Refresh,
    Exchange,
}

fn grant_type(form: &Form, refresh_only: bool) -> Result<Grant, OAuthError> {
    match form.get("grant_type") {
        None if refresh_only => Ok(Grant::Refresh),
        None => Err(OAuthError::invalid_request("grant_type is missing")),
        Some(REFRESH_TOKEN) => Ok(Grant::Refresh),
        Some(AUTHORIZATION_CODE) if !refresh_only => Ok(Grant::Code),
        Some(CLIENT_CREDENTIALS) if !refresh_only => Ok(Grant::Client),
        Some(TOKEN_EXCHANGE) if !refresh_only => Ok(Grant::Exchange),
        Some(_) => Err(OAuthError::new(
            ErrorCode::UnsupportedGrantType,
            "the grant type is not served here",
        )),
    }
}

fn issued(
    platform: &impl Platform,
    tokens: &TokenResponse,
    done: Refreshed,
    mut facts: Facts,
) -> Response {
    facts.session_id = Some(done.session);
    facts.outcome = Some(if done.repeated { "repeated" } else { "issued" }.to_owned());
    let response = respond::oauth(StatusCode::OK, tokens);
    respond::noted(respond::budgeted(response, done.budget, platform.now()), facts)
}
