//! A browser as far as our own applications need one: it follows redirects and keeps cookies. What it is
//! shown, it gives back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Response, Url, redirect};
use sha2::{Digest as _, Sha256};

use crate::World;
use crate::world::{BROWSER, unique};

/// Where our applications are sent their answers.
pub const CALLBACK: &str = "http://127.0.0.1/callback";
/// The challenge of RFC 7636 appendix B.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// More steps than any sign-in has.
const MOST_STEPS: usize = 20;

/// The browser of a person.
pub struct Browser {
    world: World,
    http: reqwest::Client,
    email: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// A code, and what it takes to redeem it.
#[derive(Debug, Clone)]
pub struct Code {
    /// The code.
    pub code: String,
    /// The verifier of its challenge, RFC 7636.
    pub verifier: String,
}

/// What a browser shows.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its address.
    pub url: Url,
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The document.
    pub html: String,
}

/// Where a link has led to.
#[derive(Debug, Clone)]
pub enum Shown {
    /// A page, or whatever else is shown.
    Page(Page),
    /// An address of somebody else, which was not visited.
    Left(Url),
}

impl Shown {
    /// The page, which there must be.
    ///
    /// # Errors
    /// If it has led away.
    pub fn page(self) -> Result<Page> {
        match self {
            Self::Page(page) => Ok(page),
            Self::Left(url) => bail!("no page, but {url}"),
        }
    }

    /// What somebody else is told at their address, by name.
    ///
    /// # Errors
    /// If it has not led away.
    pub fn told(self) -> Result<BTreeMap<String, String>> {
        match self {
            Self::Left(url) => Ok(url.query_pairs().into_owned().collect()),
            Self::Page(page) => bail!("{} shows {}: {}", page.url.path(), page.status, page.html),
        }
    }
}

impl Page {
    async fn of(url: Url, response: Response) -> Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { url, status, headers, html: response.text().await? })
    }

    /// A header's value; empty if it is absent or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The first field of this name that is not shown; empty if there is none.
    pub fn field(&self, name: &str) -> &str {
        let begin = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let rest = self.html.split_once(&begin).map_or("", |(_, rest)| rest);
        rest.split('"').next().unwrap_or_default()
    }

    /// Where it goes on to by itself.
    ///
    /// # Errors
    /// If it does not.
    pub fn onward(&self) -> Result<Url> {
        let begin = "<meta http-equiv=\"refresh\" content=\"0; url=";
        let rest = self.html.split_once(begin).context("it goes nowhere by itself")?.1;
        let location = rest.split('"').next().unwrap_or_default().replace("&amp;", "&");
        Ok(Url::parse(&location)?)
    }
}

impl Browser {
    /// Of somebody who signs in with this address at the identity provider.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn of(world: &World, email: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(BROWSER)
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(0)
            .build()?;
        let (world, email, cookies) = (world.clone(), email.to_owned(), Mutex::default());
        Ok(Self { world, http, email, cookies })
    }

    /// A code for one of our own applications, as it would ask for it; `more` are further parameters.
    ///
    /// # Errors
    /// If the way does not end at the application, with a code.
    pub async fn code(&self, client_id: &str, more: &[(&str, &str)]) -> Result<Code> {
        let verifier = format!("{}{}", unique(), unique());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let state = unique();
        let own = [("code_challenge", challenge.as_str()), ("state", &state)];
        let link = self.link(client_id, &[&own, more].concat())?;
        let answer = self.visit(link, CALLBACK).await?;
        let told = |name: &str| {
            let found = answer.query_pairs().find(|(known, _)| known == name);
            found.map(|(_, value)| value.into_owned())
        };
        anyhow::ensure!(told("state").as_deref() == Some(&state), "another state: {answer}");
        anyhow::ensure!(told("iss").as_deref() == Some(self.world.issuer()), "iss: {answer}");
        let code = told("code").with_context(|| format!("no code: {answer}"))?;
        Ok(Code { code, verifier })
    }

    /// The link by which an application begins, with other or further parameters than the usual ones; an
    /// empty one is left out.
    ///
    /// # Errors
    /// If the service has no address.
    pub fn link(&self, client_id: &str, more: &[(&str, &str)]) -> Result<Url> {
        let usual = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "of the client"),
        ];
        let said = |name: &str| more.iter().any(|(known, _)| *known == name);
        let all = usual.iter().filter(|(name, _)| !said(name)).chain(more);
        let link = self.world.api.url("/oauth/authorize");
        Ok(Url::parse_with_params(&link, all.filter(|(_, value)| !value.is_empty()))?)
    }

    /// Follow a path of ours until a page is shown.
    ///
    /// # Errors
    /// If it leads away, or nowhere.
    pub async fn open(&self, path: &str) -> Result<Page> {
        self.follow(Url::parse(&self.world.api.url(path))?).await?.page()
    }

    /// Follow a link until a page is shown, or until it leads away from us and the identity provider.
    ///
    /// # Errors
    /// If it leads nowhere.
    pub async fn follow(&self, link: Url) -> Result<Shown> {
        let mut url = link;
        for _ in 0..MOST_STEPS {
            if !self.is_ours(&url) && !is_identity_provider(&url) {
                return Ok(Shown::Left(url));
            }
            let page = self.get(url).await?;
            match page.header("location") {
                "" => return Ok(Shown::Page(page)),
                location => url = page.url.join(location)?,
            }
        }
        bail!("it leads nowhere: {url}")
    }

    /// Press a button of the page's form, and go where that leads.
    ///
    /// # Errors
    /// If there is no form, or it leads nowhere.
    pub async fn press(&self, page: &Page, button: (&str, &str)) -> Result<Shown> {
        let (begin, end) = ("<form method=\"post\" action=\"", "\"");
        let rest = page.html.split_once(begin).context("no form")?.1;
        let action = rest.split(end).next().unwrap_or_default();
        let fields = ["request", "csrf"].map(|name| (name, page.field(name)));
        let answer = self.submit(action, &[&fields[..], &[button]].concat(), &[]).await?;
        match answer.onward() {
            Ok(url) => self.follow(url).await,
            Err(_) => Ok(Shown::Page(answer)),
        }
    }

    /// Post a form to us, as from the page that we have shown; `headers` are further ones. What it is
    /// answered is not followed.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn submit(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Result<Page> {
        let url = Url::parse(&self.world.api.url(path))?;
        let usual = [("sec-fetch-site", "same-origin"), ("origin", "null")];
        let said = |name: &str| headers.iter().any(|(known, _)| *known == name);
        let mut request = self.http.post(url.clone()).form(fields).header(COOKIE, self.kept());
        for (name, value) in usual.iter().filter(|(name, _)| !said(name)).chain(headers) {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        self.keep(&response);
        Page::of(url, response).await
    }

    /// Its cookies, as somebody has them who has copied them.
    #[must_use]
    pub fn copied(&self) -> Self {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (world, http, email) = (self.world.clone(), self.http.clone(), self.email.clone());
        Self { world, http, email, cookies: Mutex::new(cookies) }
    }

    /// Follow a link until it leads to the callback; answers that address, which is not visited.
    ///
    /// # Errors
    /// If it leads to a page, or nowhere.
    pub async fn visit(&self, link: Url, callback: &str) -> Result<Url> {
        match self.follow(link).await? {
            Shown::Left(url) if url.as_str().split('?').next() == Some(callback) => Ok(url),
            Shown::Left(url) => bail!("it leads to {url}"),
            Shown::Page(page) => bail!("{} shows {}: {}", page.url.path(), page.status, page.html),
        }
    }

    /// Ask for an address once. At the identity provider they say who they are.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, mut url: Url) -> Result<Page> {
        let named = url.query_pairs().any(|(name, _)| name == "login_hint");
        if is_identity_provider(&url) && !named {
            url.query_pairs_mut().append_pair("login_hint", &self.email);
        }
        let ours = self.is_ours(&url);
        let mut request = self.http.get(url.clone());
        if ours {
            request = request.header(COOKIE, self.kept());
        }
        let response = request.send().await?;
        if ours {
            self.keep(&response);
        }
        Page::of(url, response).await
    }

    /// A cookie that it keeps.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.get(name).cloned()
    }

    fn is_ours(&self, url: &Url) -> bool {
        url.origin().ascii_serialization() == self.world.issuer()
    }

    fn kept(&self) -> String {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep(&self, response: &Response) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let told = response.headers().get_all(SET_COOKIE).iter();
        for cookie in told.filter_map(|value| value.to_str().ok()) {
            let pair = cookie.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            if cookie.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn is_identity_provider(url: &Url) -> bool {
    url.path() == "/user_management/authorize"
}
