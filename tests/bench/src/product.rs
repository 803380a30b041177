//! Our service: sessions, and what is asked of it.

use std::rc::Rc;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::try_join_all;
use stack::StackInfo;

use crate::load::{Answer, CONNECTIONS, Link, Load, form, get};
use crate::pool::{Pool, Session};
use crate::race::Rotates;

/// The first-party app that everybody uses.
const CLIENT: &str = "atoms-web";
/// The resource server that asks about tokens.
const RESOURCE_SERVER: &str = "atoms-api";
const REFRESH: &str = "/auth/token/refresh";
/// Resource servers ask about this many sessions of a connection's. Use of a session is written down
/// once a minute; with all sessions in turn, most questions would be a minute's first.
const BUSY: usize = 32;

/// A session for every sign-in. Those of a person come one after the other, so they are spread over
/// the connections, as a person's devices are.
///
/// # Errors
/// If one is refused.
pub(crate) async fn seed(port: u16, sign_ins: &[String]) -> Result<Rc<Pool>> {
    let lanes = (0..CONNECTIONS).map(|lane| async move {
        let mut link = Link::to(port).await?;
        let mut sessions = Vec::new();
        for token in sign_ins.iter().skip(lane).step_by(CONNECTIONS) {
            sessions.push(exchange(&mut link, token).await?);
        }
        anyhow::Ok(sessions)
    });
    Ok(Rc::new(Pool::new(try_join_all(lanes).await?)))
}

async fn exchange(link: &mut Link, subject_token: &str) -> Result<Session> {
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", CLIENT),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token", subject_token),
    ];
    let answer = link.send(form("/oauth/token", &[], &fields)?).await?;
    Session::of(&answer.expect(200)?)
}

async fn ask(link: &mut Link, session: &Session) -> Result<Answer> {
    let fields = [("client_id", CLIENT), ("refresh_token", session.refresh.as_str())];
    link.send(form(REFRESH, &[], &fields)?).await
}

/// Refreshes the sessions in turn.
pub(crate) struct Refresh(pub(crate) Rc<Pool>);

impl Load for Refresh {
    async fn next(&self, lane: usize, link: &mut Link) -> Result<bool> {
        let (at, session) = self.0.turn(lane)?;
        let answer = ask(link, &session).await?.expect(200)?;
        self.0.renew(lane, at, Session::of(&answer)?);
        Ok(true)
    }
}

/// Asks, as a resource server, whether access tokens are in force; all of them are.
pub(crate) struct Introspect {
    sessions: Rc<Pool>,
    authorization: String,
}

impl Introspect {
    /// As the resource server that may see every token.
    ///
    /// # Errors
    /// If it is not registered.
    pub(crate) fn new(info: &StackInfo, sessions: &Rc<Pool>) -> Result<Self> {
        let client = info.client(RESOURCE_SERVER)?;
        let secret = client.secret.as_deref().context("the resource server has no secret")?;
        let credentials = BASE64_STANDARD.encode(format!("{}:{secret}", client.id));
        Ok(Self { sessions: Rc::clone(sessions), authorization: format!("Basic {credentials}") })
    }
}

impl Load for Introspect {
    async fn next(&self, lane: usize, link: &mut Link) -> Result<bool> {
        let session = self.sessions.busy(lane, BUSY)?;
        let headers = [("authorization", self.authorization.as_str())];
        let fields = [("token", session.access.as_str())];
        let answer = link.send(form("/auth/token/introspect", &headers, &fields)?).await?;
        let answer = answer.expect(200)?;
        anyhow::ensure!(answer.body.starts_with(b"{\"active\":true"), "a token is not in force");
        Ok(true)
    }
}

/// Lists the sessions of people, as they do themselves.
pub(crate) struct List(pub(crate) Rc<Pool>);

impl Load for List {
    async fn next(&self, lane: usize, link: &mut Link) -> Result<bool> {
        let (_, session) = self.0.turn(lane)?;
        let bearer = format!("Bearer {}", session.access);
        link.send(get("/auth/sessions", &[("authorization", &bearer)])?).await?.expect(200)?;
        Ok(true)
    }
}

/// Ends sessions by their refresh tokens, until few are left.
pub(crate) struct Revoke(pub(crate) Rc<Pool>);

impl Load for Revoke {
    async fn next(&self, lane: usize, link: &mut Link) -> Result<bool> {
        let Some(session) = self.0.take(lane) else { return Ok(false) };
        let fields = [("client_id", CLIENT), ("token", session.refresh.as_str())];
        link.send(form("/auth/token/revoke", &[], &fields)?).await?.expect(200)?;
        Ok(true)
    }
}

/// Whoever holds one of our refresh tokens.
pub(crate) struct Holder;

impl Rotates for Holder {
    async fn rotate(&self, link: &mut Link, session: &Session) -> Result<Answer> {
        ask(link, session).await
    }
}
