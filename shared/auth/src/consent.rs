//! What a person has allowed which application, and what they have not been asked yet.

use data::NeonSql;
use data::consents::{self, Agreed};
use http::HeaderMap;
use oauth::form::Form;
use oauth::resource::Site;
use ports::{Fetch, Millis};

use crate::Failure;
use crate::login::{self, Login, LoginSettings};
use crate::settings::SqlSettings;

/// The purpose of the token of the consent page's form, with the request that it is about.
const PURPOSE: &str = "consent";

/// What a person has answered, and to which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Who.
    pub login: Login,
    /// The request, sealed as it was when they were asked.
    pub request: String,
    /// Whether they allow it.
    pub allowed: bool,
}

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoDecision {
    /// Nobody is signed in, any more.
    #[error("not signed in")]
    SignedOut,
    /// It was not given on our page, in this browser, by this person, to this request.
    #[error("{0}")]
    Forged(&'static str),
    /// It is no answer.
    #[error("neither allowed nor denied")]
    Unclear,
}

/// The token of the form that asks about a sealed request.
pub fn csrf(settings: &LoginSettings, login: &Login, request: &str) -> Option<String> {
    login::csrf(settings, login, &[PURPOSE, request])
}

/// What was answered by the form of the consent page: `request`, `csrf` and `decision`. The sealed
/// request, the token and the login must belong together; whether the request is one, and still in time,
/// is for whoever opens it to say.
///
/// # Errors
/// See [`NoDecision`].
pub fn decide(
    settings: &LoginSettings,
    headers: &HeaderMap,
    form: &Form,
    now: Millis,
) -> Result<Decided, NoDecision> {
    if !login::is_own_form(settings, headers) {
        return Err(NoDecision::Forged("posted from elsewhere"));
    }
    let login = login::read(settings, headers, now).ok_or(NoDecision::SignedOut)?;
    let request = form.get("request").ok_or(NoDecision::Forged("no request"))?;
    let token = form.get("csrf").ok_or(NoDecision::Forged("no token"))?;
    if !login::is_csrf(settings, &login, &[PURPOSE, request], token) {
        return Err(NoDecision::Forged("the token is of another form, person or browser"));
    }
    let allowed = match form.get("decision") {
        Some("allow") => true,
        Some("deny") => false,
        _ => return Err(NoDecision::Unclear),
    };
    Ok(Decided { login, request: request.to_owned(), allowed })
}

/// Whether the person has allowed the client all of these scopes before. Whether that spares them the
/// question is for [`may_be_spared`] to say.
///
/// # Errors
/// [`Failure::Unavailable`] if the database does not answer.
pub async fn remembered<P: Fetch>(
    platform: &P,
    sql: &SqlSettings,
    person: &str,
    client_id: &str,
    scopes: &[String],
) -> Result<bool, Failure> {
    Ok(consents::covers(&database(platform, sql), person, client_id, scopes).await?)
}

/// Remember that the person has allowed the client these scopes, beside those of before.
///
/// # Errors
/// [`Failure::Unavailable`] if the database does not answer.
pub async fn remember<P: Fetch>(
    platform: &P,
    sql: &SqlSettings,
    person: &str,
    agreed: &Agreed,
) -> Result<(), Failure> {
    Ok(consents::remember(&database(platform, sql), person, agreed).await?)
}

/// Whether a person who has allowed the same before need not be asked again. Not where any program on
/// their device could pass for the client, which is so for a public client that is answered on this
/// computer or by a scheme of its own (RFC 8252 section 8.6, OAuth 2.1 section 7.3.1): then their answer
/// is the only proof that they want it now.
pub fn may_be_spared(confidential: bool, redirect_uri: &str) -> bool {
    confidential
        || Site::parse(redirect_uri).is_some_and(|site| site.origin().starts_with("https:"))
}

fn database<'p, P: Fetch>(platform: &'p P, sql: &SqlSettings) -> NeonSql<'p, P> {
    NeonSql::new(platform, sql.url.clone(), sql.connection_string.clone())
}
