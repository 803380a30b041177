//! The sign-in: to AuthKit and back.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use oauth::form::{Form, encode};
use oauth::{ErrorCode, OAuthError, base64url, pkce};
use ports::route::ACCOUNT;
use ports::{Millis, Platform, Random};

use super::entry::{Signed, trusted};
use super::sealed::{Pending, Purpose, open, seal};
use super::{AuthorizeSettings, Desk, Visit};
use crate::Failure;
use crate::authkit::{self, Identity};
use crate::login::{self, Login, LoginSettings};
use crate::settings::Settings;
use crate::workos::{self, Unredeemed};

/// A person has this long to sign in.
const TO_SIGN_IN: Millis = 30 * 60 * 1000;
/// Nothing goes on without the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// AuthKit tells times in whole seconds of a clock that is not ours.
const LEEWAY: Millis = 60_000;
/// No code of AuthKit is longer.
const MAX_CODE: usize = 512;

/// What comes of a person's return from AuthKit.
#[derive(Debug)]
pub enum Back {
    /// They go on with a client's request.
    Visit(Visit),
    /// They go to their own account page; what the browser is to keep.
    Account(Vec<HeaderValue>),
}

/// Where somebody goes who signs in without a client, and what their browser is to keep.
#[derive(Debug)]
pub struct Departure {
    /// The page at AuthKit.
    pub location: String,
    /// What the browser is to keep.
    pub cookies: Vec<HeaderValue>,
}

/// Somebody signs in without a client, to see their own account page; they can name no other.
///
/// # Errors
/// If they do.
pub fn login<P: Platform>(
    platform: &P,
    service: &Settings,
    settings: &AuthorizeSettings,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Departure, Failure> {
    let desk = Desk { platform, service, settings, headers };
    if Form::of_query(query)?.get("return_to").is_some_and(|page| page != ACCOUNT) {
        return Err(OAuthError::invalid_request("there is no way from here to that page").into());
    }
    let mut cookies = Vec::new();
    let location = depart(&desk, Purpose::Account, &mut cookies)?;
    Ok(Departure { location, cookies })
}

/// Send the person to AuthKit. What they sign in for goes along as the state, sealed for this browser, so
/// that nobody else's browser can end here what this one has begun, nor this one what another has.
pub(super) fn depart<P: Platform>(
    desk: &Desk<'_, P>,
    purpose: Purpose,
    cookies: &mut Vec<HeaderValue>,
) -> Result<String, Failure> {
    let Desk { platform, settings, headers, .. } = *desk;
    let browser = known_browser(&settings.login, headers).map(str::to_owned);
    let browser = browser.unwrap_or_else(|| login::new_browser(platform));
    // Anew each time, so that it lives as long as the request.
    cookies.extend(browser_cookie(&settings.login, &browser));
    let (asked, hint) = match &purpose {
        Purpose::Client(request) => (request.prompt.sign_in, request.login_hint.clone()),
        Purpose::Account => (false, None),
    };
    let again = asked || login::has_signed_out(&settings.login, headers);
    let (verifier, since) = (verifier(platform), platform.now());
    let challenge = pkce::challenge(&verifier);
    let pending = Pending { purpose, verifier, since, until: since + TO_SIGN_IN };
    let state = seal(platform, &settings.request_keys, &[&browser], &pending)?;
    let (client_id, callback) = (settings.workos.client_id.as_str(), desk.callback());
    let mut query = vec![
        ("client_id", client_id),
        ("redirect_uri", &callback),
        ("response_type", "code"),
        ("provider", "authkit"),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", pkce::METHOD),
    ];
    if again {
        query.push(("max_age", "0"));
    }
    if let Some(hint) = &hint {
        query.push(("login_hint", hint));
    }
    let page = format!("{}/user_management/authorize", settings.workos.api_url);
    Ok(format!("{page}?{}", encode(&query)))
}

/// The person comes back: 1. open what they went with, in the browser that they went with, 2. know its
/// client still, 3. redeem AuthKit's code, 4. sign them in, 5. go on.
///
/// # Errors
/// For the person alone, as long as nothing says whose request it is.
pub async fn callback<P: Platform>(
    platform: &P,
    service: &Settings,
    settings: &AuthorizeSettings,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Back, Failure> {
    let desk = Desk { platform, service, settings, headers };
    let form = Form::of_query(query)?;
    let state = form.require("state", "state is missing")?;
    let browser = known_browser(&settings.login, headers).ok_or(elsewhere("no browser cookie"))?;
    let pending: Pending = open(&settings.request_keys, &[browser], state, platform.now())
        .ok_or(elsewhere("state of another browser, or too old"))?;
    let proof = Proof { form: &form, verifier: &pending.verifier, since: pending.since };
    let mut cookies = Vec::new();
    let request = match pending.purpose {
        Purpose::Account => {
            desk.signed(&proof, &mut cookies).await?;
            return Ok(Back::Account(cookies));
        }
        Purpose::Client(request) => *request,
    };
    let target = request.target.clone();
    let client = desk.known(&target.client_id).await?;
    trusted(&client, &target)?;
    let next = match desk.signed(&proof, &mut cookies).await {
        Ok(signed) => desk.proceed(&client, request, &signed, &mut cookies).await,
        Err(failure) => Err(failure),
    };
    Ok(Back::Visit(Visit { target, cookies, next }))
}

/// AuthKit's answer, and what it is held against.
struct Proof<'p> {
    form: &'p Form,
    verifier: &'p str,
    /// When the person was sent there.
    since: Millis,
}

impl<P: Platform> Desk<'_, P> {
    /// Who has signed in, by AuthKit's answer.
    async fn signed(
        &self,
        proof: &Proof<'_>,
        cookies: &mut Vec<HeaderValue>,
    ) -> Result<Signed, Failure> {
        let Self { platform, settings, .. } = self;
        let Proof { form, verifier, since } = *proof;
        if form.get("error").is_some() {
            return Err(not_signed_in("AuthKit answered with an error"));
        }
        let code = form.get("code").filter(|code| code.len() <= MAX_CODE);
        let code = (code.ok_or(not_signed_in("no code"))?, verifier);
        let asked =
            workos::sign_in(*platform, &settings.workos, &settings.upstream, code, PATIENCE);
        let signed_in = match asked.await {
            Ok(signed_in) => signed_in,
            // The page was loaded again: its first load has signed them in.
            Err(Unredeemed::Ended) => return self.signed_before(since).await,
            Err(Unredeemed::Retryable { reason, .. }) => {
                return Err(Failure::Unavailable(format!("identity provider: {reason}")));
            }
        };
        let now = platform.now();
        let identity = authkit::received(&settings.workos, &signed_in.access_token, now)
            .map_err(|failure| Failure::Internal(format!("of a sign-in: {failure}")))?;
        let login = login_of(identity, signed_in.user.email, login::new_browser(*platform), now);
        let cookie = login::set_cookie(&settings.login, *platform, &login, now)
            .ok_or_else(|| Failure::Internal("the login fits no cookie".to_owned()))?;
        cookies.push(cookie);
        Ok(Signed::now(login, Some(signed_in.refresh_token)))
    }

    async fn signed_before(&self, since: Millis) -> Result<Signed, Failure> {
        let login = self.login().await?;
        let later = |login: &Login| login.authenticated_at.saturating_add(LEEWAY) >= since;
        let login = login.filter(later).ok_or(not_signed_in("AuthKit's code is not in force"))?;
        Ok(Signed::now(login, None))
    }
}

fn login_of(identity: Identity, email: Option<String>, browser: String, now: Millis) -> Login {
    Login {
        user: identity.user,
        sign_in: identity.session,
        organization: identity.organization,
        role: identity.role,
        email,
        authenticated_at: identity.issued_at,
        expires_at: now + login::LIFETIME,
        browser,
    }
}

/// The name of a browser before anybody is signed in. With the prefix no neighbouring host can plant it.
const fn cookie_name(settings: &LoginSettings) -> &'static str {
    if settings.secure { "__Host-atoms_browser" } else { "atoms_browser" }
}

fn known_browser<'h>(settings: &LoginSettings, headers: &'h HeaderMap) -> Option<&'h str> {
    login::cookie(headers, cookie_name(settings)).filter(|browser| browser.len() <= 64)
}

fn browser_cookie(settings: &LoginSettings, browser: &str) -> Option<HeaderValue> {
    let secure = if settings.secure { "; Secure" } else { "" };
    let (name, seconds) = (cookie_name(settings), TO_SIGN_IN / 1000);
    let cookie =
        format!("{name}={browser}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&cookie).ok()
}

fn verifier(random: &impl Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    base64url(&bytes)
}

const fn elsewhere(reason: &'static str) -> Failure {
    let told = "the sign-in was begun in another browser, or too long ago; start again at the \
                application";
    Failure::refused(ErrorCode::InvalidRequest, told, reason)
}

const fn not_signed_in(reason: &'static str) -> Failure {
    let told = OAuthError::new(ErrorCode::AccessDenied, "the person has not signed in");
    Failure::Refused { told, reason }
}
