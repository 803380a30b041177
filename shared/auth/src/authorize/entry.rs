use data::clients::{ClientKind, ClientRecord};
use http::{HeaderMap, HeaderValue};
use oauth::authorization::{
    AuthorizationRequest, Consent, Presence, Step, Target, Terms, without_secrets,
};
use oauth::form::Form;
use oauth::metadata::AUTHORIZATION_CODE;
use oauth::{ErrorCode, OAuthError, redirect};
use ports::{Millis, Platform};

use super::code::Granted;
use super::sealed::{Asked, Purpose, once_id, seal};
use super::{Ask, AuthorizeSettings, Desk, Next, Visit, pushed, sign_in};
use crate::login::Login;
use crate::settings::Settings;
use crate::{Failure, clients, consent};

/// A person has this long to answer.
const TO_ANSWER: Millis = 30 * 60 * 1000;

/// A client sends a person with a request, RFC 6749 section 4.1.1: 1. read it, or what was pushed of it;
/// 2. know the client and its redirect URI; 3. see who is signed in; 4. see what they have agreed to.
///
/// # Errors
/// Before the redirect URI is known to be the client's: for the person alone.
pub async fn authorize<P: Platform>(
    platform: &P,
    service: &Settings,
    settings: &AuthorizeSettings,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Visit, Failure> {
    let desk = Desk { platform, service, settings, headers };
    let form = Form::of_query(query)?;
    without_secrets(&form)?;
    let client = desk.known(form.require("client_id", "client_id is missing")?).await?;
    let (target, request) = match form.get("request_uri") {
        Some(uri) => {
            let request = pushed::take(&desk, &client, &form, uri).await?;
            trusted(&client, &request.target)?;
            (request.target.clone(), Ok(request))
        }
        None => {
            let target = Target::read(&client.client_id, &form)?;
            trusted(&client, &target)?;
            let direct = if client.require_pushed { Err(PUSH) } else { Ok(()) };
            let request = direct.and_then(|()| desk.parse(&client, target.clone(), &form));
            (target, request)
        }
    };
    let mut cookies = Vec::new();
    let next = match request {
        Ok(request) => match desk.login().await.map(Signed::before) {
            Ok(signed) => desk.proceed(&client, request, &signed, &mut cookies).await,
            Err(failure) => Err(failure),
        },
        Err(error) => Err(error.into()),
    };
    Ok(Visit { target, cookies, next })
}

/// Who is signed in.
pub(super) struct Signed {
    login: Option<Login>,
    presence: Presence,
    /// The grant of a sign-in that was for this request.
    refresh_token: Option<String>,
}

impl Signed {
    fn before(login: Option<Login>) -> Self {
        let presence = if login.is_some() { Presence::Earlier } else { Presence::Nobody };
        Self { login, presence, refresh_token: None }
    }

    /// For this request.
    pub(super) fn now(login: Login, refresh_token: Option<String>) -> Self {
        Self { login: Some(login), presence: Presence::Now, refresh_token }
    }
}

/// A redirect URI is trusted once it is the client's.
pub(super) fn trusted(client: &ClientRecord, target: &Target) -> Result<(), Failure> {
    if redirect::allowed(&client.redirect_uris, &target.redirect_uri) {
        return Ok(());
    }
    let told = "the redirect_uri is not registered for the application";
    Err(Failure::refused(ErrorCode::InvalidRequest, told, "redirect URI not registered"))
}

const PUSH: OAuthError =
    OAuthError::invalid_request("the client must push its requests first (RFC 9126)");

impl<P: Platform> Desk<'_, P> {
    /// The client of this name.
    pub(super) async fn known(&self, client_id: &str) -> Result<ClientRecord, Failure> {
        let found = clients::find(self.platform, &self.service.sql, client_id).await?;
        found.filter(|client| !client.disabled).ok_or(Failure::refused(
            ErrorCode::InvalidClient,
            "the application is not known here",
            "unknown or disabled client",
        ))
    }

    /// The rest of a client's request.
    pub(super) fn parse(
        &self,
        client: &ClientRecord,
        target: Target,
        form: &Form,
    ) -> Result<AuthorizationRequest, OAuthError> {
        if !client.grant_types.iter().any(|grant| grant == AUTHORIZATION_CODE) {
            let told = "the client may not ask for authorization codes";
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, told));
        }
        let terms = Terms {
            scopes: &client.scopes,
            first_party: client.first_party,
            resources: &self.service.resources,
        };
        AuthorizationRequest::parse(form, target, terms)
    }

    /// What comes next for a request and whoever is signed in.
    pub(super) async fn proceed(
        &self,
        client: &ClientRecord,
        request: AuthorizationRequest,
        signed: &Signed,
        cookies: &mut Vec<HeaderValue>,
    ) -> Result<Next, Failure> {
        let step = match (request.first(signed.presence), &signed.login) {
            (Some(step), _) => step,
            (None, None) => Step::SignIn,
            (None, Some(login)) => {
                request.then(self.standing(client, &request, &login.user).await?)
            }
        };
        match (step, &signed.login) {
            (Step::Refuse(told), _) => Err(told.into()),
            (Step::Issue, Some(login)) => self.issue(&Granted {
                request: &request,
                login,
                id: once_id(self.platform),
                refresh_token: signed.refresh_token.as_deref(),
            }),
            (Step::Ask, Some(login)) => {
                self.ask(client, request, login, signed.refresh_token.clone())
            }
            (Step::SignIn | Step::Issue | Step::Ask, _) => {
                let purpose = Purpose::Client(Box::new(request));
                Ok(Next::SignIn(sign_in::depart(self, purpose, cookies)?))
            }
        }
    }

    /// How the person stands to what is asked for. Who uses our own applications uses us.
    async fn standing(
        &self,
        client: &ClientRecord,
        request: &AuthorizationRequest,
        user: &str,
    ) -> Result<Consent, Failure> {
        if client.first_party {
            return Ok(Consent::Given);
        }
        let (sql, id) = (&self.service.sql, &client.client_id);
        if !consent::remembered(self.platform, sql, user, id, &request.scopes).await? {
            return Ok(Consent::Missing);
        }
        let confidential = client.kind == ClientKind::Confidential;
        let spared = consent::may_be_spared(confidential, &request.target.redirect_uri);
        Ok(if spared { Consent::Given } else { Consent::Again })
    }

    fn ask(
        &self,
        client: &ClientRecord,
        request: AuthorizationRequest,
        login: &Login,
        refresh_token: Option<String>,
    ) -> Result<Next, Failure> {
        let Self { platform, settings, .. } = self;
        let (code, until) = (once_id(*platform), platform.now() + TO_ANSWER);
        let scopes = request.scopes.clone();
        let asked = Asked { request, code, refresh_token, until };
        let request = seal(*platform, &settings.request_keys, &place(login), &asked)?;
        let csrf = consent::csrf(&settings.login, login, &request)
            .ok_or_else(|| Failure::Internal("there is no key for forms".to_owned()))?;
        let (client, email) = (client.clone(), login.email.clone());
        Ok(Next::Ask(Box::new(Ask { client, scopes, email, request, csrf })))
    }
}

/// Where alone a request opens that a person is asked about: at that sign-in of theirs, in that browser.
pub(super) fn place(login: &Login) -> [&str; 3] {
    [&login.browser, &login.user, &login.sign_in]
}
