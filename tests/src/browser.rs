//! A browser as far as our own applications need one: it follows redirects and keeps cookies. What it is
//! shown, it gives back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Url, redirect};
use sha2::{Digest as _, Sha256};

use crate::world::{BROWSER, unique};
use crate::{Answer, World};

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

/// Where a browser has got to.
#[derive(Debug)]
pub enum Shown {
    /// A page, or whatever else is shown.
    Page(Page),
    /// An address of somebody else, which was not visited.
    Left(Url),
}

/// What a browser shows.
#[derive(Debug)]
pub struct Page {
    /// The answer.
    pub answer: Answer,
    /// From where.
    pub url: Url,
}

/// A code, and what it takes to redeem it.
#[derive(Debug, Clone)]
pub struct Code {
    /// The code.
    pub code: String,
    /// The verifier of its challenge, RFC 7636.
    pub verifier: String,
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

    /// Follow a link until it leads to the callback; answers that address, which is not visited.
    ///
    /// # Errors
    /// If it leads to a page, or nowhere.
    pub async fn visit(&self, link: Url, callback: &str) -> Result<Url> {
        match self.open(link).await? {
            Shown::Left(url) if url.as_str().split('?').next() == Some(callback) => Ok(url),
            Shown::Left(url) => bail!("it leads to {url}"),
            Shown::Page(page) => {
                bail!("{} shows {}: {}", page.url.path(), page.answer.status, page.answer.text)
            }
        }
    }

    /// Follow a link until there is a page to see, or until it leads away from the service and the
    /// identity provider.
    ///
    /// # Errors
    /// If it leads nowhere.
    pub async fn open(&self, link: Url) -> Result<Shown> {
        let mut url = link;
        for _ in 0..MOST_STEPS {
            if !self.is_ours(&url) && !self.is_identity_provider(&url) {
                return Ok(Shown::Left(url));
            }
            let answer = self.get(url.clone()).await?;
            match answer.header("location") {
                "" => return Ok(Shown::Page(Page { answer, url })),
                location => url = url.join(location)?,
            }
        }
        bail!("it leads nowhere: {url}")
    }

    /// Press a button of the page's form, and go where that leads.
    ///
    /// # Errors
    /// If there is no form, or it leads nowhere.
    pub async fn press(&self, page: &Page, (name, value): (&str, &str)) -> Result<Shown> {
        let mut fields = page.fields();
        fields.push((name.to_owned(), value.to_owned()));
        let action = page.action().context("no form")?;
        let answer = self.post(action.clone(), &fields).await?;
        let shown = Page { answer, url: action };
        match (shown.answer.header("location"), shown.refresh()) {
            ("", None) => Ok(Shown::Page(shown)),
            ("", Some(url)) => self.open(url).await,
            (location, _) => self.open(shown.url.join(location)?).await,
        }
    }

    /// Ask for an address once, as a browser does.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, mut url: Url) -> Result<Answer> {
        // There they say who they are.
        if self.is_identity_provider(&url)
            && !url.query_pairs().any(|(name, _)| name == "login_hint")
        {
            url.query_pairs_mut().append_pair("login_hint", &self.email);
        }
        let ours = self.is_ours(&url);
        let mut request = self.http.get(url);
        if ours {
            request = request.header(COOKIE, self.kept());
        }
        let answer = self.world.api.send(request).await?;
        if ours {
            self.keep(&answer);
        }
        Ok(answer)
    }

    /// Post a form from a page of the service.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, url: Url, fields: &[(String, String)]) -> Result<Answer> {
        let own = [("sec-fetch-site", "same-origin"), ("origin", self.world.issuer())];
        self.post_from(&own, url, fields).await
    }

    /// Post a form from a page of which the browser says this.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post_from(
        &self,
        says: &[(&'static str, &str)],
        url: Url,
        fields: &[(String, String)],
    ) -> Result<Answer> {
        let mut request = self.http.post(url).header(COOKIE, self.kept()).form(fields);
        for (name, value) in says {
            request = request.header(*name, *value);
        }
        let answer = self.world.api.send(request).await?;
        self.keep(&answer);
        Ok(answer)
    }

    /// What somebody has who has copied its cookies.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn copied(&self) -> Result<Self> {
        let copy = Self::of(&self.world, &self.email)?;
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Self { cookies: Mutex::new(cookies), ..copy })
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

    /// A cookie that it keeps.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.get(name).cloned()
    }

    fn is_ours(&self, url: &Url) -> bool {
        url.origin().ascii_serialization() == self.world.issuer()
    }

    fn is_identity_provider(&self, url: &Url) -> bool {
        url.path() == "/user_management/authorize"
    }

    fn kept(&self) -> String {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep(&self, answer: &Answer) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let told = answer.headers.get_all(SET_COOKIE).iter();
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

    /// What the client is told at its callback, by name.
    ///
    /// # Errors
    /// If it has not led there.
    pub fn told(self) -> Result<BTreeMap<String, String>> {
        match self {
            Self::Left(url) => Ok(url.query_pairs().into_owned().collect()),
            Self::Page(page) => bail!("a page, {}: {}", page.answer.status, page.answer.text),
        }
    }
}

impl Page {
    /// The fields of its form that are not shown.
    pub fn fields(&self) -> Vec<(String, String)> {
        let inputs = self.answer.text.split("<input type=\"hidden\"").skip(1);
        inputs
            .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)))
            .collect()
    }

    /// The first of its fields of this name; empty if there is none.
    pub fn field(&self, name: &str) -> String {
        let found = self.fields().into_iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    /// Where its form goes.
    pub fn action(&self) -> Option<Url> {
        let form = self.answer.text.split("<form").nth(1)?;
        self.url.join(&attribute(form, "action")?).ok()
    }

    /// Where it goes on to by itself.
    pub fn refresh(&self) -> Option<Url> {
        let refresh = self.answer.text.split("http-equiv=\"refresh\"").nth(1)?;
        let content = attribute(refresh, "content")?;
        self.url.join(content.split_once("url=")?.1).ok()
    }
}

/// An attribute of the element that a text is inside of.
fn attribute(text: &str, name: &str) -> Option<String> {
    let (element, _) = text.split_once('>')?;
    let (_, value) = element.split_once(&format!(" {name}=\""))?;
    let value = value.split('"').next()?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |text, (entity, sign)| text.replace(entity, sign)))
}
