//! A browser as far as our own applications need one: it follows redirects and keeps cookies. What it is
//! shown, it gives back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Response, Url, redirect};
use sha2::{Digest as _, Sha256};

use crate::World;
use crate::world::{BROWSER, unique};

/// Where our applications are sent their answers.
pub const CALLBACK: &str = "http://127.0.0.1/callback";
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
        let usual = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", &state),
        ];
        let link = self.world.api.url("/oauth/authorize");
        let link = Url::parse_with_params(&link, usual.iter().chain(more))?;
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

    /// Follow a link until a page is shown.
    ///
    /// # Errors
    /// If it leads nowhere.
    pub async fn open(&self, path: &str) -> Result<Page> {
        let mut url = Url::parse(&self.world.api.url(path))?;
        for _ in 0..MOST_STEPS {
            self.introduce(&mut url);
            let response = self.get(url.clone()).await?;
            match location(&response)? {
                Some(location) => url = url.join(&location)?,
                None => return Page::of(url, response).await,
            }
        }
        bail!("it leads nowhere: {url}")
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
        let mut url = link;
        for _ in 0..MOST_STEPS {
            if url.as_str().split('?').next() == Some(callback) {
                return Ok(url);
            }
            self.introduce(&mut url);
            let response = self.get(url.clone()).await?;
            let Some(location) = location(&response)? else {
                let (status, page) = (response.status(), response.text().await?);
                bail!("{} shows {status}: {page}", url.path());
            };
            url = url.join(location)?;
        }
        bail!("it leads nowhere: {url}")
    }

    /// At the identity provider they say who they are.
    fn introduce(&self, url: &mut Url) {
        if url.path() == "/user_management/authorize" {
            url.query_pairs_mut().append_pair("login_hint", &self.email);
        }
    }

    async fn get(&self, url: Url) -> Result<Response> {
        let ours = url.as_str().starts_with(self.world.issuer());
        let mut request = self.http.get(url);
        if ours {
            request = request.header(COOKIE, self.kept());
        }
        let response = request.send().await?;
        if ours {
            self.keep(&response);
        }
        Ok(response)
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

fn location(response: &Response) -> Result<Option<String>> {
    let location = response.headers().get(LOCATION).map(|value| value.to_str());
    Ok(location.transpose()?.map(str::to_owned))
}
