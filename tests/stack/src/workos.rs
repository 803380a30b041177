//! The WorkOS emulator, and a small client for what a browser and an administrator would do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use reqwest::{RequestBuilder, redirect};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::{Child, Reaper};
use crate::{layout, network};

/// The client id that stands for our AuthKit application.
pub(crate) const CLIENT_ID: &str = "client_atoms";
/// The emulator's one API key.
pub(crate) const API_KEY: &str = "sk_test_default";
/// People who can sign in from the start.
pub(crate) const PEOPLE: [&str; 2] = ["ada@example.test", "bob@example.test"];

/// What AuthKit gives at sign-in.
#[derive(Debug, Clone, Deserialize)]
pub struct AuthKitTokens {
    /// The JWT that our token endpoint takes in exchange.
    pub access_token: String,
    /// Renews the AuthKit session.
    pub refresh_token: String,
    /// Who signed in.
    pub user: User,
    /// The organization chosen, if any.
    pub organization_id: Option<String>,
}

/// A person.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The `sub` of their tokens.
    pub id: String,
    /// What they sign in with.
    pub email: String,
}

/// A client of the emulator.
#[derive(Debug, Clone)]
pub struct WorkOs {
    url: String,
    http: reqwest::Client,
}

impl WorkOs {
    /// A client of the emulator at `url`.
    ///
    /// # Panics
    /// Never: the client has no settings that could fail.
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(15))
            // Tests may share this, and a kept connection ends with the test that made it.
            .pool_max_idle_per_host(0)
            .build()
            .unwrap_or_default();
        Self { url: url.to_owned(), http }
    }

    /// Register a person.
    ///
    /// # Errors
    /// If the emulator refuses, as for an address that is taken.
    pub async fn create_user(&self, email: &str) -> Result<User> {
        let body = json!({ "email": email, "email_verified": true });
        Ok(serde_json::from_value(self.administer("/user_management/users", &body).await?)?)
    }

    /// Found an organization; answers its id.
    ///
    /// # Errors
    /// If the emulator refuses.
    pub async fn create_organization(&self, name: &str) -> Result<String> {
        let made = self.administer("/organizations", &json!({ "name": name })).await?;
        Ok(made["id"].as_str().context("an organization without id")?.to_owned())
    }

    /// Make a person a member, with a role such as `admin` or `member`.
    ///
    /// # Errors
    /// If the emulator refuses.
    pub async fn add_membership(&self, user: &str, organization: &str, role: &str) -> Result<()> {
        let body = json!({ "user_id": user, "organization_id": organization, "role_slug": role });
        self.administer("/user_management/organization_memberships", &body).await?;
        Ok(())
    }

    /// Sign in as a browser does: ask for a code, then turn it into tokens. Each call is a new
    /// AuthKit session.
    ///
    /// # Errors
    /// If there is no such person or the emulator is away.
    pub async fn sign_in(&self, email: &str) -> Result<AuthKitTokens> {
        let query = [
            ("client_id", CLIENT_ID),
            ("redirect_uri", "http://127.0.0.1/callback"),
            ("response_type", "code"),
            ("provider", "authkit"),
            ("login_hint", email),
        ];
        let page = format!("{}/user_management/authorize", self.url);
        let answer = self.http.get(page).query(&query).send().await?;
        let location = answer.headers().get("location").context("the emulator did not redirect")?;
        let location = url::Url::parse(location.to_str()?)?;
        let Some((_, code)) = location.query_pairs().find(|(name, _)| name == "code") else {
            bail!("{email} cannot sign in: {}", location.query().unwrap_or_default());
        };
        self.authenticate(json!({ "grant_type": "authorization_code", "code": code })).await
    }

    /// Switch a session to an organization that the person is a member of.
    ///
    /// # Errors
    /// If the session has ended or the emulator is away.
    pub async fn sign_in_organization(
        &self,
        tokens: &AuthKitTokens,
        organization: &str,
    ) -> Result<AuthKitTokens> {
        let body = json!({
            "grant_type": "refresh_token",
            "refresh_token": tokens.refresh_token,
            "organization_id": organization,
        });
        self.authenticate(body).await
    }

    /// How many sign-ins of a person it knows. The emulator takes every refresh for another one.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn sign_ins(&self, user: &str) -> Result<usize> {
        let url = format!("{}/user_management/users/{user}/sessions", self.url);
        let listed = answer(self.http.get(url).bearer_auth(API_KEY)).await?;
        Ok(listed["data"].as_array().context("no list of sessions")?.len())
    }

    /// End a sign-in, as a person or an administrator does.
    ///
    /// # Errors
    /// If there is no such sign-in.
    pub async fn revoke_session(&self, session: &str) -> Result<()> {
        let body = json!({ "session_id": session });
        self.administer("/user_management/sessions/revoke", &body).await?;
        Ok(())
    }

    /// Delete a person.
    ///
    /// # Errors
    /// If there is no such person.
    pub async fn delete_user(&self, user: &str) -> Result<()> {
        let url = format!("{}/user_management/users/{user}", self.url);
        let response = self.http.delete(url).bearer_auth(API_KEY).send().await?;
        response.error_for_status()?;
        Ok(())
    }

    /// Have events delivered to a URL, signed by a secret; answers the name of the webhook.
    ///
    /// # Errors
    /// If the emulator refuses.
    pub async fn add_webhook(&self, url: &str, secret: &str, events: &[&str]) -> Result<String> {
        let body = json!({ "endpoint_url": url, "secret": secret, "events": events });
        let made = self.administer("/webhook_endpoints", &body).await?;
        Ok(made["id"].as_str().context("a webhook without id")?.to_owned())
    }

    async fn authenticate(&self, mut body: Value) -> Result<AuthKitTokens> {
        body["client_id"] = CLIENT_ID.into();
        body["client_secret"] = API_KEY.into();
        let url = format!("{}/user_management/authenticate", self.url);
        Ok(serde_json::from_value(answer(self.http.post(url).json(&body)).await?)?)
    }

    async fn administer(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(API_KEY);
        answer(request.json(body)).await
    }
}

async fn answer(request: RequestBuilder) -> Result<Value> {
    let response = request.send().await?;
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{url} answered {status}: {text}");
    }
    Ok(serde_json::from_str(&text)?)
}

/// How to start the emulator. It keeps everything in memory: after a restart the seeded people have
/// other ids and its keys are new.
pub(crate) struct Emulator {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
}

impl Emulator {
    /// Where it listens; also the issuer of its tokens.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Start it and wait until it answers.
    pub(crate) async fn start(&self, reaper: &Arc<Reaper>) -> Result<Child> {
        let seed = self.folder.join("workos-seed.json");
        write_seed(&seed)?;
        let mut command = Command::new(layout::npm_program("node"));
        command
            .arg(layout::npm_program("workos"))
            .args(["emulate", "--json", "--port", &self.port.to_string(), "--seed"])
            .arg(&seed)
            .env("PATH", layout::path_variable()?)
            .env("WORKOS_TELEMETRY", "false")
            .env("HOME", &self.folder)
            .current_dir(&self.folder);
        let log = self.folder.join("workos.log");
        let mut child =
            Child::spawn("the WorkOS emulator", &mut command, &log, Signal::SIGTERM, reaper)?;
        let health = format!("{}/health", self.url());
        network::wait_for_ok(&mut child, &health, Duration::from_secs(30)).await?;
        Ok(child)
    }
}

fn write_seed(path: &Path) -> Result<()> {
    let users: Vec<_> =
        PEOPLE.iter().map(|email| json!({ "email": email, "email_verified": true })).collect();
    std::fs::write(path, json!({ "users": users }).to_string())
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn people_sign_in_and_switch_to_an_organization() {
        let folder = std::env::temp_dir().join(format!("stack-workos-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let reaper = Reaper::start(&folder).unwrap();
        let emulator = Emulator { port: network::free_port().unwrap(), folder };
        let _child = emulator.start(&reaper).await.unwrap();
        let workos = WorkOs::new(&emulator.url());
        let tokens = workos.sign_in(PEOPLE[0]).await.unwrap();
        assert_eq!((tokens.user.email.as_str(), &tokens.organization_id), (PEOPLE[0], &None));
        let user = workos.create_user("eve@example.test").await.unwrap();
        let organization = workos.create_organization("Eve & Co").await.unwrap();
        workos.add_membership(&user.id, &organization, "admin").await.unwrap();
        let tokens = workos.sign_in("eve@example.test").await.unwrap();
        let tokens = workos.sign_in_organization(&tokens, &organization).await.unwrap();
        assert_eq!(tokens.organization_id.as_deref(), Some(organization.as_str()));
        assert!(workos.sign_in("nobody@example.test").await.is_err());
    }
}
