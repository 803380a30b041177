//! The peer: `@cloudflare/workers-oauth-provider`.

use std::rc::Rc;

use anyhow::{Context, Result};
use futures::future::try_join_all;

use crate::load::{Answer, CONNECTIONS, Link, Load, form, get};
use crate::pool::{Pool, Session};
use crate::race::Rotates;

/// It takes itself to be served by https.
const HEADERS: [(&str, &str); 2] = [("host", "peer.example"), ("x-forwarded-proto", "https")];
const CALLBACK: &str = "https://client.example/callback";
const RESOURCE: &str = "https://peer.example/api";
const SCOPE: &str = "atoms:workspace.read atoms:workspace.write offline_access";
/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Its grants.
pub(crate) struct Grants {
    client: String,
    /// The tokens of each.
    pub(crate) pool: Pool,
}

impl Grants {
    /// A grant each for so many people, by the authorization code flow.
    ///
    /// # Errors
    /// If one is refused.
    pub(crate) async fn seed(port: u16, people: usize) -> Result<Rc<Self>> {
        let answer = Link::to(port).await?.send(get("/client", &HEADERS)?).await?;
        let client = answer.expect(200)?.member("client_id")?;
        let lanes = (0..CONNECTIONS).map(|lane| {
            let client = client.as_str();
            async move {
                let mut link = Link::to(port).await?;
                let mut grants = Vec::new();
                for person in (lane..people).step_by(CONNECTIONS) {
                    grants.push(authorize(&mut link, client, person).await?);
                }
                anyhow::Ok(grants)
            }
        });
        let pool = Pool::new(try_join_all(lanes).await?);
        Ok(Rc::new(Self { client, pool }))
    }
}

impl Rotates for Grants {
    async fn rotate(&self, link: &mut Link, session: &Session) -> Result<Answer> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client.as_str()),
            ("refresh_token", session.refresh.as_str()),
        ];
        link.send(form("/token", &HEADERS, &fields)?).await
    }
}

async fn authorize(link: &mut Link, client: &str, person: usize) -> Result<Session> {
    let person = format!("user_{person}");
    let query = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("scope", SCOPE),
        ("state", person.as_str()),
        ("resource", RESOURCE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let answer = link.send(get(&format!("/authorize?{query}"), &HEADERS)?).await?.expect(302)?;
    let location = answer.headers.get("location").context("no redirect")?.to_str()?;
    let location = url::Url::parse(location)?;
    let code = location.query_pairs().find(|(name, _)| name == "code").context("no code")?.1;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    Session::of(&link.send(form("/token", &HEADERS, &fields)?).await?.expect(200)?)
}

/// Uses access tokens at its protected route, which answers at once.
pub(crate) struct Validate(pub(crate) Rc<Grants>);

impl Load for Validate {
    async fn next(&self, lane: usize, link: &mut Link) -> Result<bool> {
        let (_, session) = self.0.pool.turn(lane)?;
        let bearer = format!("Bearer {}", session.access);
        let [host, proto] = HEADERS;
        let headers = [host, proto, ("authorization", bearer.as_str())];
        link.send(get("/api", &headers)?).await?.expect(200)?;
        Ok(true)
    }
}

/// Refreshes the grants in turn.
pub(crate) struct Refresh(pub(crate) Rc<Grants>);

impl Load for Refresh {
    async fn next(&self, lane: usize, link: &mut Link) -> Result<bool> {
        let (at, session) = self.0.pool.turn(lane)?;
        let answer = self.0.rotate(link, &session).await?.expect(200)?;
        self.0.pool.renew(lane, at, Session::of(&answer)?);
        Ok(true)
    }
}
