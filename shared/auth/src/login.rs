//! Who is signed in in this browser: a sealed cookie that the callback of the sign-in sets, and the
//! tokens that prove that a form was made for that browser (CSRF).
//!
//! The cookie is read by nobody but us, and nothing is stored of it but its end: whoever signs out, or is
//! signed out by the identity provider, leaves a mark in their ledger for as long as a copy of the cookie
//! would be good. It allows no more than to be asked for consent and to see one's own account: whatever a
//! client gets out of it is a session of its own.

use http::header::{COOKIE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};
use ledger::{Actor, Command, Once, OnceId, Outcome, Refusal};
use oauth::keys::{self, KeyRing};
use oauth::{base64url, seal};
use ports::config::parsed;
use ports::{Clock, Config, ConfigError, Ledgers, Millis, Random};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::settings::{Settings, public_url};

/// How long a browser stays signed in, in milliseconds: a working day. Sessions of clients have lives of
/// their own.
pub const LIFETIME: Millis = 8 * 60 * 60 * 1000;
/// A longer cookie is not ours. Browsers keep 4096 bytes.
const MAX_COOKIE: usize = 4096;

/// What it takes to read and write the cookie.
pub struct LoginSettings {
    keys: KeyRing,
    /// Our own origin.
    origin: String,
    /// Whether the deployment is served by https, as all are but those on a developer's machine.
    pub(crate) secure: bool,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The person, the `sub` of their tokens.
    pub user: String,
    /// The sign-in at the identity provider: the id of its session.
    pub sign_in: String,
    /// The organization of the sign-in, as the identity provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The role there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// For the person to see as whom they are signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When they signed in.
    pub authenticated_at: Millis,
    /// When the browser has to sign in again.
    pub expires_at: Millis,
    /// The browser, by a name drawn at random at the sign-in.
    pub browser: String,
}

impl LoginSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let problem = "must be id=base64url,… with keys of 32 bytes";
        let origin = public_url(config)?;
        Ok(Self {
            keys: parsed(config, "LOGIN_KEYS", problem, KeyRing::parse)?,
            secure: !origin.starts_with("http:"),
            origin,
        })
    }

    /// The cookie's name. With the prefix a browser takes it only from this very host, by https and for
    /// all paths, so that no neighbouring host can plant one.
    const fn cookie(&self) -> &'static str {
        if self.secure { "__Host-atoms_login" } else { "atoms_login" }
    }
}

/// A new name for a browser.
pub fn new_browser(random: &impl Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    base64url(&bytes)
}

/// Who is signed in in the browser that sends these headers; `None` for nobody, and for a cookie that is
/// not ours, has expired, or is there twice.
pub fn read(settings: &LoginSettings, headers: &HeaderMap, now: Millis) -> Option<Login> {
    let sealed = cookie(headers, settings.cookie())?;
    let json = seal::open(&settings.keys, LABEL, &[], sealed)?;
    let login: Login = serde_json::from_slice(&json).ok()?;
    (now < login.expires_at && login.expires_at <= now.saturating_add(LIFETIME)).then_some(login)
}

/// As [`read`], unless the login was ended before its time.
///
/// # Errors
/// [`Failure::Unavailable`] if the person's ledger does not say.
pub async fn current<P: Clock + Ledgers>(
    platform: &P,
    service: &Settings,
    settings: &LoginSettings,
    headers: &HeaderMap,
) -> Result<Option<Login>, Failure> {
    let Some(login) = read(settings, headers, platform.now()) else { return Ok(None) };
    Ok(if is_over(platform, service, &login).await? { None } else { Some(login) })
}

/// Whether a login was ended before its time: in its browser, at the identity provider, or with the person.
///
/// # Errors
/// [`Failure::Unavailable`] if the person's ledger does not say.
pub async fn is_over<P: Ledgers>(
    platform: &P,
    service: &Settings,
    login: &Login,
) -> Result<bool, Failure> {
    let ends =
        [End::Browser(&login.browser), End::SignIn(&login.sign_in), End::Person(&login.user)];
    remembered(platform, service, &login.user, &ends).await
}

/// Whether one of these is remembered in the ledger of the person.
async fn remembered<P: Ledgers>(
    platform: &P,
    service: &Settings,
    person: &str,
    ends: &[End<'_>],
) -> Result<bool, Failure> {
    let names = ends.iter().map(|end| end.name()).collect();
    let command = service.envelope(Command::WasUsed { names });
    match platform.execute(&service.user_ledger(person), &command).await? {
        Outcome::Used(used) => Ok(used),
        other => Err(Failure::unexpected(&other)),
    }
}

/// What ends logins before their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<'a> {
    /// The person signs out in the browser of this name.
    Browser(&'a str),
    /// The identity provider ends the sign-in of this name.
    SignIn(&'a str),
    /// The identity provider deletes the person.
    Person(&'a str),
}

impl End<'_> {
    /// Remember it in the ledger of the person, until all logins that it ends have expired. It may be
    /// repeated.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] if the ledger does not answer.
    pub async fn remember<P: Clock + Ledgers>(
        self,
        platform: &P,
        service: &Settings,
        person: &str,
    ) -> Result<(), Failure> {
        // To use it up twice would be told as an attack.
        if remembered(platform, service, person, &[self]).await? {
            return Ok(());
        }
        let once = Once::new(self.name(), platform.now().saturating_add(LIFETIME));
        let mut envelope = service.envelope(Command::Consume { once: vec![once] });
        envelope.origin.actor = Actor::Service;
        match platform.execute(&service.user_ledger(person), &envelope).await? {
            Outcome::Consumed | Outcome::Refused(Refusal::Replayed) => Ok(()),
            Outcome::Refused(Refusal::Full) => {
                Err(Failure::Unavailable("the ledger cannot remember more ends".to_owned()))
            }
            other => Err(Failure::unexpected(&other)),
        }
    }

    /// Its name in the ledger. Nobody needs to keep it secret, so it has no key.
    fn name(self) -> OnceId {
        let (kind, name) = match self {
            Self::Browser(name) => ("browser", name),
            Self::SignIn(name) => ("sign-in", name),
            Self::Person(name) => ("person", name),
        };
        let digest =
            keys::mac(&[], "atoms-edge end of logins", &[kind.as_bytes(), name.as_bytes()]);
        OnceId::from_bytes(keys::half(&digest))
    }
}

/// The `Set-Cookie` that signs a person in in a browser. `None` only without a key, or for a login that
/// no cookie can hold.
pub fn set_cookie(
    settings: &LoginSettings,
    random: &impl Random,
    login: &Login,
    now: Millis,
) -> Option<HeaderValue> {
    let mut nonce = seal::Nonce::default();
    random.fill(&mut nonce);
    let json = serde_json::to_vec(login).ok()?;
    let sealed = seal::seal(&settings.keys, LABEL, &[], &nonce, &json)?;
    let seconds = login.expires_at.saturating_sub(now) / 1000;
    let cookie = written(settings, &sealed, seconds);
    (cookie.len() <= MAX_COOKIE).then(|| HeaderValue::from_str(&cookie).ok())?
}

/// The `Set-Cookie` that signs whoever it is out. It takes the place of the login and leaves a mark: the
/// identity provider may remember the person, and without the mark whoever sits down next would be signed
/// in as them without a question.
pub fn sign_out_cookie(settings: &LoginSettings) -> HeaderValue {
    let cookie = written(settings, SIGNED_OUT, LIFETIME / 1000);
    HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
}

/// Whether somebody has signed out in the browser, so that the next sign-in must be a new one.
pub fn has_signed_out(settings: &LoginSettings, headers: &HeaderMap) -> bool {
    cookie(headers, settings.cookie()) == Some(SIGNED_OUT)
}

/// The token of a form: it is good for this login in this browser and for this purpose, which names the
/// form and whatever it is about. `None` only without a key.
pub fn csrf(settings: &LoginSettings, login: &Login, purpose: &[&str]) -> Option<String> {
    let id = settings.keys.newest();
    csrf_by(settings, id, login, purpose)
}

/// Whether a form's token is the one of this login and purpose.
pub fn is_csrf(settings: &LoginSettings, login: &Login, purpose: &[&str], token: &str) -> bool {
    let id = token.split_once('.').and_then(|(id, _)| id.parse().ok());
    let expected = id.and_then(|id| csrf_by(settings, id, login, purpose));
    expected.is_some_and(|expected| keys::equal(&expected, token))
}

/// Whether a form was posted by a page of ours, as far as the browser tells. Browsers that are too old for
/// the first header tell less, as our pages keep their address to themselves (`no-referrer`), and the
/// origin with it: then the token of the form decides alone.
pub fn is_own_form(settings: &LoginSettings, headers: &HeaderMap) -> bool {
    let site = headers.get(HeaderName::from_static("sec-fetch-site"));
    let origin = headers.get(ORIGIN).filter(|origin| *origin != "null");
    site.is_none_or(|site| site == "same-origin")
        && origin.is_none_or(|origin| origin == settings.origin.as_str())
}

const LABEL: &str = "login cookie";
/// What the cookie says of nobody. Too short to be anything sealed.
const SIGNED_OUT: &str = "signed-out";

fn csrf_by(settings: &LoginSettings, id: u8, login: &Login, purpose: &[&str]) -> Option<String> {
    let key = settings.keys.get(id)?;
    let who = [login.browser.as_str(), &login.user, &login.sign_in];
    let parts: Vec<_> = who.iter().chain(purpose).map(|part| part.as_bytes()).collect();
    Some(format!("{id}.{}", base64url(&keys::mac(key, "atoms-edge csrf", &parts))))
}

fn written(settings: &LoginSettings, value: &str, seconds: u64) -> String {
    let secure = if settings.secure { "; Secure" } else { "" };
    let name = settings.cookie();
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// The value of a cookie that is there exactly once: of two, one was planted.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let headers = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = headers.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(n, _)| n.trim() == name).map(|(_, value)| value.trim());
    let value = values.next().filter(|value| !value.is_empty() && value.len() <= MAX_COOKIE)?;
    values.next().is_none().then_some(value)
}
