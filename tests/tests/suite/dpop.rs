//! Tokens that are bound to a key of the client, RFC 9449: at the token endpoint and at our resources.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use e2e::client::{Fields, INTROSPECT, MCP, REFRESH, SESSIONS, TOKEN};
use e2e::world::Person;
use e2e::{Answer, Jwt, World};
use futures::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use testing::{ProofKey, proof_claims};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const ALGORITHMS: &str = "DPoP algs=\"ES256 Ed25519 EdDSA\"";

/// A client's installation that holds a key.
struct Holder {
    world: World,
    key: ProofKey,
    nonce: String,
}

/// Tokens that it was given.
struct Tokens {
    access: String,
    refresh: String,
}

impl Holder {
    async fn of(world: &World, key: ProofKey) -> Result<Self> {
        let mut holder = Self { world: world.clone(), key, nonce: String::new() };
        let refused = holder.token(TOKEN, &[("grant_type", "refresh_token")]).await?;
        let refused = refused.expect(400, "a proof without a nonce")?;
        assert_eq!(refused.error(), "use_dpop_nonce", "{}", refused.text);
        holder.nonce = refused.header("dpop-nonce").to_owned();
        assert!(!holder.nonce.is_empty());
        Ok(holder)
    }

    /// A session that is bound to the key.
    async fn sign_in(&self, person: &Person) -> Result<Tokens> {
        let tokens = person.sign_in().await?;
        let fields = [
            ("grant_type", e2e::client::TOKEN_EXCHANGE),
            ("subject_token", tokens.access_token.as_str()),
            ("subject_token_type", e2e::client::ACCESS_TOKEN_TYPE),
        ];
        let answer = self.token(TOKEN, &fields).await?.expect(200, "token exchange")?;
        assert_eq!(answer.body["token_type"], "DPoP", "{}", answer.text);
        Ok(Tokens {
            access: answer.member("access_token").to_owned(),
            refresh: answer.member("refresh_token").to_owned(),
        })
    }

    /// The claims of a proof that is good once.
    fn claims(&self, method: &str, path: &str, access_token: Option<&str>) -> Value {
        let url = format!("{}{path}", self.world.issuer());
        let mut claims = proof_claims(method, &url, now(), &self.nonce);
        if let Some(token) = access_token {
            claims["ath"] = json!(oauth::base64url(&Sha256::digest(token)));
        }
        claims
    }

    fn proof(&self, method: &str, path: &str, access_token: Option<&str>) -> String {
        self.key.proof(&self.claims(method, path, access_token))
    }

    /// A request of the public client with a proof.
    async fn token(&self, path: &str, fields: Fields<'_>) -> Result<Answer> {
        self.token_with(path, fields, &self.proof("POST", path, None)).await
    }

    async fn token_with(&self, path: &str, fields: Fields<'_>, proof: &str) -> Result<Answer> {
        let form = [&[("client_id", "atoms-cli")], fields].concat();
        let request = self.world.api.request(Method::POST, path).header("DPoP", proof);
        self.world.api.send(request.form(&form)).await
    }

    async fn refresh(&self, token: &str) -> Result<Answer> {
        self.token(REFRESH, &[("refresh_token", token)]).await
    }

    /// A call of the MCP endpoint with a proof of these claims.
    async fn mcp_with(&self, token: &str, claims: &Value) -> Result<Answer> {
        ping(&self.world, &format!("DPoP {token}"), Some(&self.key.proof(claims))).await
    }

    async fn mcp(&self, token: &str) -> Result<Answer> {
        self.mcp_with(token, &self.claims("POST", MCP, Some(token))).await
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

async fn ping(world: &World, authorization: &str, proof: Option<&str>) -> Result<Answer> {
    let request = world.api.mcp_request("").body(PING);
    // The request has the authorization of an empty bearer token already.
    let (client, request) = request.build_split();
    let mut request = request?;
    request.headers_mut().insert("authorization", authorization.parse()?);
    let request = RequestBuilder::from_parts(client, request);
    world.api.send(proved(request, proof)).await
}

fn proved(request: RequestBuilder, proof: Option<&str>) -> RequestBuilder {
    match proof {
        Some(proof) => request.header("DPoP", proof),
        None => request,
    }
}

/// 401, with the error in the challenge of one scheme and both schemes named.
fn refused(answer: &Answer, scheme: &str, error: &str) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    let challenge = answer.header("www-authenticate");
    let (bearer, dpop) = challenge.split_once(", DPoP ").unwrap_or_default();
    assert!(bearer.starts_with("Bearer resource_metadata=\""), "{challenge}");
    let named = format!("error=\"{error}\"");
    let (with, without) = if scheme == "DPoP" { (dpop, bearer) } else { (bearer, dpop) };
    assert!(with.contains(&named) && !without.contains("error="), "{challenge}");
    assert!(challenge.contains(ALGORITHMS), "{challenge}");
    assert_eq!(answer.member("code"), error, "{}", answer.text);
}

#[tokio::test]
async fn f17_tokens_of_a_proved_key_are_bound_to_it_and_used_with_it() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    for key in [ProofKey::es256(1), ProofKey::eddsa(1)] {
        let holder = Holder::of(&world, key).await?;
        let tokens = holder.sign_in(&person).await?;
        let claims = Jwt::read(&tokens.access)?.claims;
        assert_eq!(claims["cnf"], json!({ "jkt": holder.key.thumbprint() }));
        let answer = holder.mcp(&tokens.access).await?.expect(200, "ping")?;
        assert!(!answer.header("dpop-nonce").is_empty());
        let proof = holder.proof("GET", SESSIONS, Some(&tokens.access));
        let request = world.api.request(Method::GET, SESSIONS).header("DPoP", proof);
        let request = request.header("authorization", format!("DPoP {}", tokens.access));
        let answer = world.api.send(request).await?.expect(200, "sessions")?;
        assert!(!answer.header("dpop-nonce").is_empty());
        let next = holder.refresh(&tokens.refresh).await?.expect(200, "refresh")?;
        assert_eq!(next.body["token_type"], "DPoP");
        holder.mcp(next.member("access_token")).await?.expect(200, "ping")?;
    }
    Ok(())
}

#[tokio::test]
async fn i7_introspection_tells_the_key() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let holder = Holder::of(&world, ProofKey::es256(2)).await?;
    let tokens = holder.sign_in(&person).await?;
    let key = json!({ "jkt": holder.key.thumbprint() });
    let client = world.client("atoms-api")?;
    let told = world.api.introspect(client, &tokens.access, &[]).await?;
    let told = told.expect(200, INTROSPECT)?.body;
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("DPoP")));
    assert_eq!(told["cnf"], key);
    assert!(told["exp"].is_u64() && told["iat"].is_u64());
    let told = world.api.introspect(client, &tokens.refresh, &[]).await?;
    assert_eq!(told.expect(200, INTROSPECT)?.body["cnf"], key);
    let unbound = person.session("atoms-web").await?;
    let told = world.api.introspect(client, &unbound.access, &[]).await?.body;
    assert_eq!((&told["token_type"], told.get("cnf")), (&json!("Bearer"), None));
    Ok(())
}

#[tokio::test]
async fn f13_a_stolen_token_is_of_no_use_without_its_key() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let holder = Holder::of(&world, ProofKey::es256(3)).await?;
    let thief = Holder::of(&world, ProofKey::es256(4)).await?;
    let tokens = holder.sign_in(&person).await?;
    let token = &tokens.access;
    let bearer = format!("Bearer {token}");
    refused(&ping(&world, &bearer, None).await?, "Bearer", "invalid_token");
    let proof = thief.proof("POST", MCP, Some(token));
    refused(&ping(&world, &bearer, Some(&proof)).await?, "Bearer", "invalid_token");
    let dpop = format!("DPoP {token}");
    refused(&ping(&world, &dpop, None).await?, "DPoP", "invalid_dpop_proof");
    refused(&ping(&world, &dpop, Some(&proof)).await?, "DPoP", "invalid_dpop_proof");
    let claims = holder.claims("POST", MCP, Some(token));
    let forged = thief.key.sign(&holder.key.header(), &claims);
    refused(&ping(&world, &dpop, Some(&forged)).await?, "DPoP", "invalid_dpop_proof");
    let answer = world.api.sessions(token).await?;
    refused(&answer, "Bearer", "invalid_token");
    holder.mcp(token).await?.expect(200, "the one who holds the key")?;
    Ok(())
}

#[tokio::test]
async fn an_unbound_token_is_no_token_of_a_key() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let holder = Holder::of(&world, ProofKey::es256(5)).await?;
    let session = person.session("atoms-web").await?;
    refused(&holder.mcp(&session.access).await?, "DPoP", "invalid_token");
    world.api.mcp(&session.access, "ping", json!({})).await?.result("ping")?;
    let refresh = holder.refresh(&session.refresh).await?;
    assert_eq!((refresh.status, refresh.error()), (400, "invalid_grant"), "another client's");
    Ok(())
}

#[tokio::test]
async fn f17_a_refresh_token_is_for_its_key_alone() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let holder = Holder::of(&world, ProofKey::es256(6)).await?;
    let thief = Holder::of(&world, ProofKey::es256(7)).await?;
    let tokens = holder.sign_in(&person).await?;
    let stolen = thief.refresh(&tokens.refresh).await?;
    assert_eq!((stolen.status, stolen.error()), (400, "invalid_grant"));
    let bare = world.api.refresh(world.client("atoms-cli")?, &tokens.refresh, &[]).await?;
    assert_eq!((bare.status, bare.error(), bare.header("dpop-nonce")), (400, "invalid_grant", ""));
    let next = holder.refresh(&tokens.refresh).await?.expect(200, "nothing was consumed")?;
    // The one before it is within its grace: for its key the same successor, for another none.
    let stolen = thief.refresh(&tokens.refresh).await?;
    assert_eq!((stolen.status, stolen.error()), (400, "invalid_grant"));
    let again = holder.refresh(&tokens.refresh).await?.expect(200, "the family lives")?;
    assert_eq!(again.member("refresh_token"), next.member("refresh_token"));
    Ok(())
}

#[tokio::test]
async fn f13_of_many_copies_of_a_proof_one_is_good() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let holder = Holder::of(&world, ProofKey::es256(8)).await?;
    let tokens = holder.sign_in(&person).await?;
    let claims = holder.claims("POST", MCP, Some(&tokens.access));
    let calls = (0..20).map(|_| holder.mcp_with(&tokens.access, &claims));
    let answers: Vec<_> = join_all(calls).await.into_iter().collect::<Result<_>>()?;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        refused(answer, "DPoP", "invalid_dpop_proof");
    }
    let proof = holder.proof("POST", REFRESH, None);
    let fields = [("refresh_token", tokens.refresh.as_str())];
    let grants = (0..20).map(|_| holder.token_with(REFRESH, &fields, &proof));
    let answers: Vec<_> = join_all(grants).await.into_iter().collect::<Result<_>>()?;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!(good.len(), 1);
    assert!(bad.iter().all(|a| (a.status, a.error()) == (400, "invalid_dpop_proof")));
    Ok(())
}

#[tokio::test]
async fn f13_a_proof_is_for_one_request_with_one_token() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let holder = Holder::of(&world, ProofKey::es256(9)).await?;
    let tokens = holder.sign_in(&person).await?;
    let token = tokens.access.as_str();
    let good = || holder.claims("POST", MCP, Some(token));
    let changed = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        claims
    };
    for claims in [
        holder.claims("GET", MCP, Some(token)),
        holder.claims("POST", SESSIONS, Some(token)),
        holder.claims("POST", MCP, None),
        holder.claims("POST", MCP, Some(&tokens.refresh)),
        changed("htu", json!("https://evil.example/mcp")),
        changed("iat", json!(now() / 1000 - 120)),
        changed("iat", json!(now() / 1000 + 60)),
        changed("jti", json!(null)),
    ] {
        let answer = holder.mcp_with(token, &claims).await?;
        refused(&answer, "DPoP", "invalid_dpop_proof");
    }
    for nonce in [json!(null), json!(""), json!("guessed")] {
        let answer = holder.mcp_with(token, &changed("nonce", nonce)).await?;
        refused(&answer, "DPoP", "use_dpop_nonce");
        assert!(!answer.header("dpop-nonce").is_empty());
    }
    // Query and fragment are no part of it, and neither is the spelling of the host.
    let url = format!("{}{MCP}?a=b#c", world.issuer().replace("http://", "HTTP://"));
    holder.mcp_with(token, &changed("htu", json!(url))).await?.expect(200, "ping")?;
    Ok(())
}

#[tokio::test]
async fn a_forged_proof_gets_no_token() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let holder = Holder::of(&world, ProofKey::es256(10)).await?;
    let thief = ProofKey::es256(11);
    let tokens = holder.sign_in(&person).await?;
    let (header, claims) = (holder.key.header(), holder.claims("POST", REFRESH, None));
    let forged = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        thief.sign(&header, &claims)
    };
    let good = holder.key.proof(&claims);
    let (unsigned, _) = good.rsplit_once('.').unwrap_or_default();
    let mut private = thief.jwk();
    private["d"] = json!("AQ");
    for proof in [
        forged("alg", json!("ES256")),
        forged("alg", json!("none")),
        forged("alg", json!("HS256")),
        forged("alg", json!("EdDSA")),
        forged("typ", json!("JWT")),
        forged("jwk", private),
        forged("jwk", json!({ "kty": "oct", "k": "c2VjcmV0" })),
        forged("crit", json!(["exp"])),
        format!("{unsigned}."),
        format!("{good}, {good}"),
        tokens.access.clone(),
        "x".repeat(5000),
        "x".to_owned(),
    ] {
        let fields = [("refresh_token", tokens.refresh.as_str())];
        let answer = holder.token_with(REFRESH, &fields, &proof).await?;
        let told = (answer.status, answer.error());
        assert_eq!(told, (400, "invalid_dpop_proof"), "{proof}: {}", answer.text);
        assert!(!answer.header("dpop-nonce").is_empty());
    }
    holder.refresh(&tokens.refresh).await?.expect(200, "nothing was consumed")?;
    Ok(())
}

#[tokio::test]
async fn an_extended_session_has_tokens_of_the_same_key() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let holder = Holder::of(&world, ProofKey::es256(12)).await?;
    let tokens = holder.sign_in(&person).await?;
    let claims = Jwt::read(&tokens.access)?.claims;
    let path = format!("{SESSIONS}/{}/extend", claims["sid"].as_str().unwrap_or_default());
    let proof = holder.proof("POST", &path, Some(&tokens.access));
    let request = world.api.request(Method::POST, &path).header("DPoP", proof);
    let request = request.header("authorization", format!("DPoP {}", tokens.access));
    let extended = world.api.send(request).await?.expect(200, "extend")?;
    assert_eq!(extended.body["token_type"], "DPoP");
    let cnf = &Jwt::read(extended.member("access_token"))?.claims["cnf"];
    assert_eq!(cnf, &claims["cnf"]);
    holder.refresh(extended.member("refresh_token")).await?.expect(200, "refresh")?;
    Ok(())
}

#[tokio::test]
async fn a_page_may_send_proofs_and_read_nonces() -> Result<()> {
    let world = World::attach()?;
    for path in [TOKEN, MCP, SESSIONS] {
        let request = world.api.request(Method::OPTIONS, path).header("origin", world.issuer());
        let request = request.header("access-control-request-headers", "dpop");
        let answer = world.api.send(request).await?;
        let headers = answer.header("access-control-allow-headers");
        assert!(headers.split(", ").any(|name| name == "dpop"), "{path}: {headers}");
        let exposed = answer.header("access-control-expose-headers");
        assert!(exposed.split(", ").any(|name| name == "dpop-nonce"), "{path}: {exposed}");
    }
    Ok(())
}
