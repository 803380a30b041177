//! A person's own page: their sessions at all clients, the applications that they have connected, and the
//! end of each. It is served to whoever is signed in in the browser, without a client in between.

use data::clients::ClientOrigin;
use data::consents::{self, Consent};
use data::{DataError, NeonSql};
use http::HeaderMap;
use ledger::{Answer, Command, Outcome, Refusal, SessionView, Which};
use oauth::form::Form;
use ports::{Clock, Fetch, Kv, Ledgers, Platform};

use crate::login::{self, End, Login, LoginSettings};
use crate::settings::Settings;
use crate::{Failure, authkit, clients};

/// The purpose of the token of the page's forms.
const PURPOSE: &str = "account";
/// What the audit trail says of what was done here.
const REASON: &str = "by the person, on their account page";

/// What a person sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// Their sessions, the one used last first.
    pub sessions: Vec<Session>,
    /// The applications that they have connected; `None` while the database is away, which keeps nobody
    /// from ending sessions.
    pub apps: Option<Vec<App>>,
}

/// A session and who holds its tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// What the ledger says.
    pub view: SessionView,
    /// The client's name for people.
    pub client: String,
    /// Whether it came from the sign-in of this browser.
    pub here: bool,
    /// Whether it looks so risky that operators are told.
    pub unusual: bool,
}

/// A connected application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// What the person has agreed to.
    pub consent: Consent,
    /// How it came to be known.
    pub origin: ClientOrigin,
}

/// What a person asks for by one of the forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// End a session.
    End(String),
    /// End all sessions that did not come from this sign-in.
    EndOthers,
    /// Forget what the person has agreed to with a client, and end its sessions.
    Disconnect(String),
    /// Sign out in this browser.
    SignOut,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The session is over.
    Ended,
    /// There was no such session, any more.
    Gone,
    /// The others are over.
    OthersEnded,
    /// The application is disconnected.
    Disconnected,
    /// Nobody is signed in in this browser, any more.
    SignedOut,
}

/// Why a form has no effect.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOrder {
    /// It was posted from elsewhere than our page.
    #[error("posted from elsewhere")]
    Elsewhere,
    /// Nobody is signed in.
    #[error("not signed in")]
    SignedOut,
    /// The page that it is of was made for another sign-in.
    #[error("the token is of another sign-in")]
    Stale,
    /// It does not say what it must.
    #[error("incomplete")]
    Incomplete,
    /// Whether they are signed in still cannot be told.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The token of the page's forms.
pub fn csrf(settings: &LoginSettings, login: &Login) -> Option<String> {
    login::csrf(settings, login, &[PURPOSE])
}

/// Who posted a form: 1. from our own page, 2. signed in, 3. from a page that was made for them.
///
/// # Errors
/// See [`NoOrder`].
pub async fn admit<P: Clock + Ledgers>(
    platform: &P,
    service: &Settings,
    settings: &LoginSettings,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Login, NoOrder> {
    if !login::is_own_form(settings, headers) {
        return Err(NoOrder::Elsewhere);
    }
    let login = login::current(platform, service, settings, headers).await?;
    let login = login.ok_or(NoOrder::SignedOut)?;
    let token = form.get("csrf").ok_or(NoOrder::Incomplete)?;
    if login::is_csrf(settings, &login, &[PURPOSE], token) {
        Ok(login)
    } else {
        Err(NoOrder::Stale)
    }
}

/// What the person sees.
///
/// # Errors
/// [`Failure::Unavailable`] if their ledger does not answer, [`Failure::Limited`] if they ask too often.
pub async fn overview<P: Clock + Fetch + Kv + Ledgers>(
    platform: &P,
    settings: &Settings,
    login: &Login,
) -> Result<Overview, Failure> {
    let views = match ask(platform, settings, login, Command::List).await? {
        Outcome::Sessions(views) => views,
        other => return Err(Failure::unexpected(&other)),
    };
    let agreed = match consents::list(&database(platform, settings), &login.user).await {
        Ok(agreed) => Some(agreed),
        Err(DataError::Unavailable(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let sign_in = authkit::external_id(&login.sign_in);
    let mut sessions = Vec::new();
    for view in views {
        let client = name(platform, settings, &view.client_id, agreed.as_deref()).await;
        let here = view.external_id.as_ref() == Some(&sign_in);
        let unusual = view.risk.per_mille >= settings.policy.risk_flag;
        sessions.push(Session { view, client, here, unusual });
    }
    let mut apps = agreed.as_ref().map(|_| Vec::new());
    for consent in agreed.into_iter().flatten() {
        let origin = origin(platform, settings, &consent.client_id).await;
        apps.get_or_insert_default().push(App { consent, origin });
    }
    Ok(Overview { sessions, apps })
}

/// Do what the person asks for.
///
/// # Errors
/// [`Failure::Unavailable`] if their ledger or the database does not answer, [`Failure::Limited`] if they
/// ask too often. Disconnecting may then have been done in part, and can be repeated.
pub async fn perform<P: Platform>(
    platform: &P,
    settings: &Settings,
    login: &Login,
    order: &Order,
) -> Result<Done, Failure> {
    let reason = || Some(REASON.to_owned());
    let (command, done) = match order {
        Order::SignOut => {
            End::Browser(&login.browser).remember(platform, settings, &login.user).await?;
            return Ok(Done::SignedOut);
        }
        Order::End(session) => {
            let Ok(session) = session.parse() else { return Ok(Done::Gone) };
            (Command::RevokeSession { session, reason: reason() }, Done::Ended)
        }
        Order::EndOthers => {
            let which = Which::NotFrom(authkit::external_id(&login.sign_in));
            (Command::RevokeSome { which, reason: reason() }, Done::OthersEnded)
        }
        Order::Disconnect(client_id) => {
            let which = Which::OfClient(client_id.clone());
            (Command::RevokeSome { which, reason: reason() }, Done::Disconnected)
        }
    };
    match ask(platform, settings, login, command).await? {
        Outcome::Revoked { .. } => {}
        Outcome::Refused(Refusal::UnknownSession | Refusal::SessionEnded(_)) => {
            return Ok(Done::Gone);
        }
        other => return Err(Failure::unexpected(&other)),
    }
    // Last, so that an application whose sessions could not be ended is still there to be disconnected.
    if let Order::Disconnect(client_id) = order {
        consents::forget(&database(platform, settings), &login.user, client_id).await?;
    }
    Ok(done)
}

async fn ask<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    login: &Login,
    command: Command,
) -> Result<Outcome, Failure> {
    let address = settings.user_ledger(&login.user);
    let Answer { outcome, .. } = platform.ask(&address, &settings.envelope(command)).await?;
    match outcome {
        Outcome::Limited(budget) => Err(Failure::Limited { budget }),
        outcome => Ok(outcome),
    }
}

/// A client's name: as the person saw it when they agreed, else as it is registered, else its id. A page
/// does not wait for the metadata documents of others.
async fn name<P: Clock + Fetch + Kv>(
    platform: &P,
    settings: &Settings,
    client_id: &str,
    agreed: Option<&[Consent]>,
) -> String {
    let mut agreed = agreed.into_iter().flatten();
    if let Some(consent) = agreed.find(|consent| consent.client_id == client_id) {
        return consent.client_name.clone();
    }
    if is_document(client_id) {
        return client_id.to_owned();
    }
    let found = clients::find(platform, &settings.sql, client_id).await;
    found.ok().flatten().map_or_else(|| client_id.to_owned(), |record| record.name)
}

async fn origin<P: Clock + Fetch + Kv>(
    platform: &P,
    settings: &Settings,
    client_id: &str,
) -> ClientOrigin {
    if is_document(client_id) {
        return ClientOrigin::Document;
    }
    let found = clients::find(platform, &settings.sql, client_id).await;
    // One that is not there any more had registered itself.
    found.ok().flatten().map_or(ClientOrigin::Dynamic, |record| record.origin)
}

fn is_document(client_id: &str) -> bool {
    client_id.starts_with("https://")
}

fn database<'p, P: Fetch>(platform: &'p P, settings: &Settings) -> NeonSql<'p, P> {
    let sql = &settings.sql;
    NeonSql::new(platform, sql.url.clone(), sql.connection_string.clone())
}
