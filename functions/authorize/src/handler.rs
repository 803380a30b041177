use auth::authorize::{AuthorizeSettings, pushed};
use auth::settings::ClientSettings;
use auth::{Failure, Settings};
use host::{Endpoint, respond};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use oauth::form::Form;
use observe::Facts;
use ports::route::{
    AUTHORIZE, CALLBACK, CONSENT, Function, LOGIN, Match, PUSHED_REQUEST, REGISTER, REGISTRATION,
};
use ports::{Config, ConfigError, Platform, Request, Response};

use crate::documents::Documents;
use crate::{register, visits};

/// People on their way from a client to AuthKit and back (`GET /oauth/authorize`, `GET /oauth/callback`,
/// `POST /oauth/consent`, and `GET /oauth/login` without a client), requests that clients push
/// (`POST /oauth/par`), clients that register themselves (`/oauth/register`), and the documents by which
/// clients find all of this.
pub(crate) struct Authorize;

pub(crate) struct Desk {
    pub(crate) service: Settings,
    pub(crate) own: AuthorizeSettings,
    pub(crate) client: ClientSettings,
    documents: Documents,
}

impl Endpoint for Authorize {
    const FUNCTION: Function = Function::Authorize;
    type Settings = Desk;

    fn configure(config: &impl Config) -> Result<Desk, ConfigError> {
        Ok(Desk {
            service: Settings::load(config)?,
            own: AuthorizeSettings::load(config)?,
            client: ClientSettings::of_credentials(config)?,
            documents: Documents::load(config)?,
        })
    }

    async fn handle(
        platform: &impl Platform,
        desk: &Desk,
        found: &Match<'_>,
        request: &Request,
    ) -> Response {
        match found.route.path {
            // Whoever only looks at a link must not use it up.
            AUTHORIZE | LOGIN | CALLBACK if request.method() == Method::HEAD => {
                respond::empty(StatusCode::OK)
            }
            AUTHORIZE => visits::authorize(platform, desk, request).await,
            LOGIN => visits::login(platform, desk, request),
            CALLBACK => visits::callback(platform, desk, request).await,
            CONSENT => visits::consent(platform, desk, request).await,
            PUSHED_REQUEST => push(platform, desk, request).await,
            REGISTER => register::register(platform, desk, request).await,
            REGISTRATION => {
                register::manage(platform, desk, found.id.unwrap_or_default(), request).await
            }
            document => desk.documents.at(document).unwrap_or_else(respond::not_found),
        }
    }
}

/// RFC 9126 section 2.
async fn push(platform: &impl Platform, desk: &Desk, request: &Request) -> Response {
    let mut facts = Facts::default();
    let response = match pushed(platform, desk, request).await {
        Ok(receipt) => {
            facts.client_id = Some(receipt.client_id.clone());
            facts.outcome = Some("pushed".to_owned());
            respond::oauth(StatusCode::CREATED, &receipt)
        }
        Err(failure) => respond::failure(failure, platform.now(), &mut facts),
    };
    let response = respond::noted(response, facts);
    respond::nonced(response, request, &desk.own.nonces, platform.now())
}

async fn pushed(
    platform: &impl Platform,
    desk: &Desk,
    request: &Request,
) -> Result<pushed::Receipt, Failure> {
    let Desk { service, own, client, .. } = desk;
    pushed::push(platform, service, own, client, request, &form(request)?).await
}

/// The form that a request brings.
pub(crate) fn form(request: &Request) -> Result<Form, Failure> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok(Form::parse(content_type, request.body())?)
}
