use auth::bulk::{self, Bulk};
use auth::settings::{ClientSettings, Verifier};
use auth::{Failure, Settings, clients, network, revoke};
use host::{Endpoint, respond};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use ledger::Budget;
use oauth::form::Form;
use observe::Facts;
use ports::route::{Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};
use serde_json::{Value, json};

/// `POST /auth/token/revoke`, RFC 7009, and many tokens at once.
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
        match revoke(platform, settings, request, &mut facts).await {
            Ok((body, budget)) => {
                let response = respond::oauth(StatusCode::OK, &body);
                respond::noted(respond::budgeted(response, budget, platform.now()), facts)
            }
            Err(failure) => {
                let response = respond::failure(failure, platform.now(), &mut facts);
                respond::noted(response, facts)
            }
        }
    }
}

/// 1. read the form or the JSON object, 2. authenticate the client, 3. revoke (RFC 7009 section 2.1).
async fn revoke(
    platform: &impl Platform,
    settings: &RevokeSettings,
    request: &Request,
    facts: &mut Facts,
) -> Result<(Value, Option<Budget>), Failure> {
    let RevokeSettings { service, client, verifier } = settings;
    let headers = request.headers();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (form, bulk) = if content_type.is_some_and(is_json) {
        let (form, bulk) = Bulk::of_json(request.body())?;
        (form, Some(bulk))
    } else {
        let form = Form::parse(content_type, request.body())?;
        let bulk = Bulk::of_form(&form)?;
        (form, bulk)
    };
    let record = clients::authenticate(platform, service, client, headers, &form).await?;
    facts.client_id = Some(record.client_id.clone());
    let network = network::of(headers, client.proxy_header.as_ref());
    let forged = |times: usize| {
        let mut failures = client.failures.borrow_mut();
        for _ in 0..times {
            failures.failed(&record.client_id, network.as_deref(), platform.now());
        }
    };
    if let Some(bulk) = bulk {
        let done = bulk::revoke(platform, service, client, verifier, &record, &bulk).await?;
        facts.outcome = Some("revoked_many".to_owned());
        forged(done.forged);
        return Ok((json!({ "results": done.results }), done.budget));
    }
    let revoked = revoke::revoke(platform, service, client, verifier, &record, &form).await?;
    facts.session_id = revoked.session;
    facts.outcome = Some(revoked.outcome.to_owned());
    forged(usize::from(revoked.forged));
    Ok((json!({}), revoked.budget))
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
