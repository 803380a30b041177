//! People to act as. Each test makes its own, so tests know nothing of each other.

use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use stack::{AuthKitTokens, ClientInfo, StackInfo, User, WorkOs};
use uuid::Uuid;

use crate::client::{Answer, Api, Fields};
use crate::jwt;

/// A browser, so that sessions have a label that a person knows.
pub const BROWSER: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
/// What the service makes of it.
pub const BROWSER_LABEL: &str = "Chrome on macOS";

/// A running stack and a device to use it from.
#[derive(Clone)]
pub struct World {
    /// The stack.
    pub info: StackInfo,
    /// The service.
    pub api: Api,
    /// The identity provider.
    pub workos: WorkOs,
}

impl World {
    /// The stack that `ATOMS_STACK` names.
    ///
    /// # Errors
    /// If it names none.
    pub fn attach() -> Result<Self> {
        let Some(info) = StackInfo::from_environment()? else {
            bail!(
                "there is no stack to test: run `cargo xtask test`, or start a stack with `cargo \
                 xtask dev` and set ATOMS_STACK to its stack.json"
            );
        };
        Self::of(&info)
    }

    /// A stack that one has started.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn of(info: &StackInfo) -> Result<Self> {
        Ok(Self {
            info: info.clone(),
            api: Api::new(&info.base_url, BROWSER)?,
            workos: info.workos(),
        })
    }

    /// A registered OAuth client.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn client(&self, id: &str) -> Result<&ClientInfo> {
        self.info.client(id)
    }

    /// The resource of the session endpoints: the issuer itself.
    pub fn issuer(&self) -> &str {
        &self.info.base_url
    }

    /// The resource of the MCP endpoint.
    pub fn mcp(&self) -> String {
        format!("{}/mcp", self.info.base_url)
    }

    /// A person whom nobody knew before.
    ///
    /// # Errors
    /// If the identity provider refuses.
    pub async fn person(&self) -> Result<Person> {
        let user = self.workos.create_user(&format!("{}@example.test", unique())).await?;
        Ok(Person { world: self.clone(), user, sessions: Mutex::default() })
    }

    /// A session for an AuthKit access token; it is not ended by anybody.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn session_of(
        &self,
        client: &str,
        subject_token: &str,
        extra: Fields<'_>,
    ) -> Result<Session> {
        let client = self.client(client)?.clone();
        let answer = self.api.exchange(&client, subject_token, extra).await?;
        Session::of(client, subject_token.to_owned(), answer.expect(200, "token exchange")?)
    }

    /// Introspect as the resource server that may see every token; says whether it is in force.
    ///
    /// # Errors
    /// If the answer is not one.
    pub async fn is_active(&self, token: &str) -> Result<bool> {
        let answer = self.api.introspect(self.client("atoms-api")?, token, &[]).await?;
        let answer = answer.expect(200, "introspection")?;
        answer.body["active"].as_bool().context("`active` is no boolean")
    }

    /// Whether a session is alive and its tokens are the newest: repeating the exchange answers
    /// with the newest ones and consumes nothing.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn is_untouched(&self, session: &Session) -> Result<bool> {
        let claims = session.claims()?;
        let resources = match &claims["aud"] {
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            one => Vec::from_iter(one.as_str()),
        };
        let mut fields = vec![("scope", claims["scope"].as_str().unwrap_or_default())];
        fields.extend(resources.into_iter().map(|resource| ("resource", resource)));
        let answer = self.api.exchange(&session.client, &session.subject_token, &fields).await?;
        Ok(answer.status == 200 && answer.member("refresh_token") == session.refresh)
    }
}

/// A name that nobody else has.
pub fn unique() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A person. Dropping it ends the sessions it began, also when its test failed.
pub struct Person {
    world: World,
    /// Who they are.
    pub user: User,
    sessions: Mutex<Vec<(ClientInfo, String)>>,
}

impl Person {
    /// Sign in at the identity provider. Each call is a sign-in of its own.
    ///
    /// # Errors
    /// If the identity provider refuses.
    pub async fn sign_in(&self) -> Result<AuthKitTokens> {
        self.world.workos.sign_in(&self.user.email).await
    }

    /// Sign in and get a session for a client.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn session(&self, client: &str) -> Result<Session> {
        self.session_with(client, &[]).await
    }

    /// Like [`session`](Self::session), with more fields in the request.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn session_with(&self, client: &str, extra: Fields<'_>) -> Result<Session> {
        let tokens = self.sign_in().await?;
        self.session_of(client, &tokens.access_token, extra).await
    }

    /// A session for an AuthKit access token that one has.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn session_of(
        &self,
        client: &str,
        subject_token: &str,
        extra: Fields<'_>,
    ) -> Result<Session> {
        let session = self.world.session_of(client, subject_token, extra).await?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.push((session.client.clone(), session.refresh.clone()));
        Ok(session)
    }
}

impl Drop for Person {
    /// In a thread of its own: a destructor cannot wait for a future, and the test's runtime may be
    /// ending.
    fn drop(&mut self) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let (sessions, base) = (std::mem::take(&mut *sessions), self.world.info.base_url.clone());
        let tidy = move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let api = Api::new(&base, BROWSER)?;
            runtime.block_on(async {
                for (client, refresh) in sessions {
                    api.revoke(&client, &refresh, &[]).await?;
                }
                Ok(())
            })
        };
        // A stack that is down has no sessions to end.
        let _ = thread::spawn(tidy).join();
    }
}

/// The tokens of a session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose they are.
    pub client: ClientInfo,
    /// The AuthKit access token that they were exchanged for.
    pub subject_token: String,
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// The whole answer.
    pub answer: Answer,
}

impl Session {
    fn of(client: ClientInfo, subject_token: String, answer: Answer) -> Result<Self> {
        let text = |name| match answer.member(name) {
            "" => Err(anyhow::anyhow!("there is no {name} in {}", answer.text)),
            text => Ok(text.to_owned()),
        };
        let (access, refresh) = (text("access_token")?, text("refresh_token")?);
        Ok(Self { access, refresh, client, subject_token, answer })
    }

    /// The same session with the tokens of a later answer.
    ///
    /// # Errors
    /// If there are none in it.
    pub fn then(&self, answer: Answer) -> Result<Self> {
        Self::of(self.client.clone(), self.subject_token.clone(), answer)
    }

    /// The claims of the access token.
    ///
    /// # Errors
    /// If it is no JWT.
    pub fn claims(&self) -> Result<Value> {
        jwt::claims(&self.access)
    }

    /// The name of the session.
    ///
    /// # Errors
    /// If the access token names none.
    pub fn id(&self) -> Result<String> {
        Ok(self.claims()?["sid"].as_str().context("the access token has no sid")?.to_owned())
    }

    /// The successor by a refresh, which must be granted.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn refreshed(&self, api: &Api) -> Result<Self> {
        let answer = api.refresh(&self.client, &self.refresh, &[]).await?;
        self.then(answer.expect(200, "refresh")?)
    }
}
