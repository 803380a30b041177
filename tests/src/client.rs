//! A small HTTP client of the service's endpoints. It judges nothing: every answer comes back whole.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, redirect};
use serde_json::{Value, json};
use stack::ClientInfo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The path of the token endpoint.
pub const TOKEN: &str = "/oauth/token";
/// The path of the endpoint that knows the refresh grant only.
pub const REFRESH: &str = "/auth/token/refresh";
/// The path of the revocation endpoint.
pub const REVOKE: &str = "/auth/token/revoke";
/// The path of the introspection endpoint.
pub const INTROSPECT: &str = "/auth/token/introspect";
/// The path of a person's sessions.
pub const SESSIONS: &str = "/auth/sessions";
/// The path that ends all of them.
pub const REVOKE_ALL: &str = "/auth/sessions/revoke-all";
/// The path of the webhook of WorkOS.
pub const WORKOS_WEBHOOK: &str = "/webhooks/workos";
/// The path of a person's audit trail.
pub const AUDIT: &str = "/auth/audit";
/// The path of the MCP endpoint.
pub const MCP: &str = "/mcp";
/// The grant type of RFC 8693.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The type of the tokens that are exchanged.
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The type of an AuthKit refresh token that is handed over.
pub const REFRESH_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:refresh_token";
/// The protocol version that calls of the MCP endpoint name.
pub const MCP_VERSION: &str = "2025-11-25";

/// No request of ours takes longer unless something is broken.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Fields of a form.
pub type Fields<'a> = &'a [(&'a str, &'a str)];

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

impl Answer {
    /// A header's value; empty if it is absent or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A text member of the body; empty if there is none.
    pub fn member(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// The OAuth error code; empty if there is none.
    pub fn error(&self) -> &str {
        self.member("error")
    }

    /// This answer, if it has the status; `what` says of which request, for the message.
    ///
    /// # Errors
    /// If it has another.
    pub fn expect(self, status: u16, what: &str) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        let (got, text) = (self.status, shortened(&self.text));
        bail!("{what}: expected status {status}, got {got}: {text}{}", self.cause())
    }

    /// What the log says of an answer that we failed to give: nobody else is told.
    fn cause(&self) -> String {
        let id = self.header("x-request-id");
        if self.status < 500 || id.is_empty() {
            return String::new();
        }
        // Lines are written behind the answer.
        std::thread::sleep(Duration::from_millis(500));
        let runs = fs::read_dir(stack::layout::target().join("stack")).into_iter().flatten();
        let files = runs.flatten().flat_map(|run| fs::read_dir(run.path()).into_iter().flatten());
        let mut logs = files.flatten().filter_map(|file| fs::read_to_string(file.path()).ok());
        let told = |log: String| log.lines().find(|line| line.contains(id)).map(str::to_owned);
        logs.find_map(told).map(|line| format!(" ({line})")).unwrap_or_default()
    }

    /// The result of a JSON-RPC answer.
    ///
    /// # Errors
    /// If it has none.
    pub fn result(self, what: &str) -> Result<Value> {
        let mut answer = self.expect(200, what)?;
        match answer.body.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => bail!("{what}: expected a result, got {}", shortened(&answer.text)),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(400).collect()
}

/// The service, as one device of a person sees it.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    http: reqwest::Client,
}

impl Api {
    /// The service at `base`, for a device with this user agent.
    ///
    /// # Errors
    /// If the user agent is no header value.
    pub fn new(base: &str, user_agent: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(user_agent)
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            // Tests that share a stack share this, and a kept connection ends with the test that made it.
            .pool_max_idle_per_host(0)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self { base: base.to_owned(), http })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request to be completed and then sent with [`send`](Self::send).
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// Send a request.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let response = request.send().await.context("the service does not answer")?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.context("the service broke off its answer")?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, headers, text, body })
    }

    /// `GET` a path.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` a form as it is.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn form(&self, path: &str, fields: Fields<'_>) -> Result<Answer> {
        self.send(self.request(Method::POST, path).form(fields)).await
    }

    /// `POST` a form as a client: a confidential one by `Basic`, a public one by its id.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn form_as(
        &self,
        path: &str,
        client: &ClientInfo,
        fields: Fields<'_>,
    ) -> Result<Answer> {
        let request = self.request(Method::POST, path);
        match &client.secret {
            Some(secret) => {
                self.send(request.basic_auth(&client.id, Some(secret)).form(fields)).await
            }
            None => {
                let id = [("client_id", client.id.as_str())];
                self.send(request.form(&[&id, fields].concat())).await
            }
        }
    }

    /// Exchange an AuthKit access token for a session.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn exchange(
        &self,
        client: &ClientInfo,
        subject_token: &str,
        extra: Fields<'_>,
    ) -> Result<Answer> {
        let fields = [
            ("grant_type", TOKEN_EXCHANGE),
            ("subject_token", subject_token),
            ("subject_token_type", ACCESS_TOKEN_TYPE),
        ];
        self.form_as(TOKEN, client, &[&fields, extra].concat()).await
    }

    /// Exchange a refresh token for its successor.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn refresh(
        &self,
        client: &ClientInfo,
        token: &str,
        extra: Fields<'_>,
    ) -> Result<Answer> {
        self.form_as(REFRESH, client, &[&[("refresh_token", token)], extra].concat()).await
    }

    /// Revoke a token.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn revoke(
        &self,
        client: &ClientInfo,
        token: &str,
        extra: Fields<'_>,
    ) -> Result<Answer> {
        self.form_as(REVOKE, client, &[&[("token", token)], extra].concat()).await
    }

    /// Ask whether a token is in force.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn introspect(
        &self,
        client: &ClientInfo,
        token: &str,
        extra: Fields<'_>,
    ) -> Result<Answer> {
        self.form_as(INTROSPECT, client, &[&[("token", token)], extra].concat()).await
    }

    /// A page of a person's audit trail; the query begins with `?` if it is not empty.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn audit(&self, token: &str, query: &str) -> Result<Answer> {
        let path = format!("{AUDIT}{query}");
        self.send(self.request(Method::GET, &path).bearer_auth(token)).await
    }

    /// List the caller's sessions.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn sessions(&self, token: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, SESSIONS).bearer_auth(token)).await
    }

    /// End one session of the caller.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn end_session(&self, token: &str, id: &str) -> Result<Answer> {
        let path = format!("{SESSIONS}/{id}");
        self.send(self.request(Method::DELETE, &path).bearer_auth(token)).await
    }

    /// Let a session go on.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn extend(&self, token: &str, id: &str) -> Result<Answer> {
        let path = format!("{SESSIONS}/{id}/extend");
        self.send(self.request(Method::POST, &path).bearer_auth(token)).await
    }

    /// End all sessions of the caller; the body is optional.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn end_all(&self, token: &str, body: Option<Value>) -> Result<Answer> {
        let request = self.request(Method::POST, REVOKE_ALL).bearer_auth(token);
        self.send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// A request to the MCP endpoint, with the headers that clients send after `initialize`.
    pub fn mcp_request(&self, token: &str) -> RequestBuilder {
        self.request(Method::POST, MCP)
            .bearer_auth(token)
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .header("mcp-protocol-version", MCP_VERSION)
    }

    /// Call a method of the MCP endpoint.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn mcp(&self, token: &str, method: &str, params: Value) -> Result<Answer> {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.send(self.mcp_request(token).body(call.to_string())).await
    }

    /// Call the tool `workspace`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn workspace(&self, token: &str, arguments: Value) -> Result<Answer> {
        let params = json!({ "name": "workspace", "arguments": arguments });
        self.mcp(token, "tools/call", params).await
    }

    /// Send bytes over a connection of their own, for requests that no well-behaved client makes.
    ///
    /// # Errors
    /// If there is no answer that looks like HTTP.
    pub async fn raw(&self, request: &[u8]) -> Result<Answer> {
        let authority = self.base.strip_prefix("http://").context("plain HTTP only")?;
        let mut stream = TcpStream::connect(authority).await?;
        // The service may answer and close before it has read all of a request that it refuses.
        let _ = stream.write_all(request).await;
        let mut bytes = Vec::new();
        let reading = async {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                bytes.extend_from_slice(&buffer[..count]);
            }
        };
        tokio::time::timeout(TIMEOUT, reading).await.context("the service does not answer")?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("no HTTP answer: {}", shortened(&text)))?;
        let text = text.split_once("\r\n\r\n").map_or(text.as_str(), |(_, body)| body).to_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, headers: HeaderMap::new(), text, body })
    }
}
