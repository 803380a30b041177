//! Clients that sign who they are, `private_key_jwt`: RFC 7523 section 3, at every OAuth endpoint.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use e2e::client::{INTROSPECT, REFRESH, REVOKE, TOKEN};
use e2e::world::unique;
use e2e::{Answer, World};
use futures::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testing::ProofKey;

use crate::web::{Page, Web};

const PUSHED: &str = "/oauth/par";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Every OAuth endpoint that authenticates clients, with what a request needs besides.
const ENDPOINTS: [(&str, &[(&str, &str)]); 5] = [
    (TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", "x")]),
    (REFRESH, &[("refresh_token", "x")]),
    (REVOKE, &[("token", "x")]),
    (INTROSPECT, &[("token", "x")]),
    (PUSHED, &[("response_type", "code")]),
];

/// A client with a key.
struct Keyed {
    world: World,
    id: String,
    key: ProofKey,
}

impl Keyed {
    /// One that has registered itself with its key.
    async fn registered(key: ProofKey) -> Result<Self> {
        let keys = json!({ "jwks": { "keys": [key.jwk()] } });
        Self::with(key, keys).await
    }

    async fn with(key: ProofKey, keys: Value) -> Result<Self> {
        let world = World::attach()?;
        let mut metadata = json!({
            "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "private_key_jwt",
        });
        for (name, value) in keys.as_object().into_iter().flatten() {
            metadata[name] = value.clone();
        }
        let request = world.api.request(Method::POST, "/oauth/register").json(&metadata);
        let told = world.api.send(request).await?.expect(201, "registration")?;
        assert!(told.body.get("client_secret").is_none());
        Ok(Self { id: told.member("client_id").to_owned(), world, key })
    }

    fn claims(&self) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        json!({
            "iss": self.id, "sub": self.id, "aud": self.world.issuer(),
            "iat": now, "exp": now + 60, "jti": unique(),
        })
    }

    fn header(&self) -> Value {
        json!({ "alg": if matches!(self.key, ProofKey::P256(_)) { "ES256" } else { "EdDSA" } })
    }

    fn assertion(&self) -> String {
        self.key.sign(&self.header(), &self.claims())
    }

    async fn present(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        assertion: &str,
    ) -> Result<Answer> {
        let proof = [("client_assertion_type", TYPE), ("client_assertion", assertion)];
        self.world.api.form(path, &[&proof, fields].concat()).await
    }
}

/// Whether the client was taken for the one that it says it is, whatever it may do.
fn known(answer: &Answer) -> bool {
    answer.error() != "invalid_client" && answer.status < 500
}

#[tokio::test]
async fn c4_a_client_signs_who_it_is_at_every_endpoint() -> Result<()> {
    for key in [ProofKey::eddsa(11), ProofKey::es256(11)] {
        let client = Keyed::registered(key).await?;
        for (path, fields) in ENDPOINTS {
            let assertion = client.assertion();
            let answer = client.present(path, fields, &assertion).await?;
            assert!(known(&answer), "{path}: {}", answer.text);
            let again = client.present(path, fields, &assertion).await?;
            assert_eq!((again.status, again.error()), (401, "invalid_client"), "{path}: replayed");
            assert_eq!(again.header("cache-control"), "no-store");
            assert_eq!(again.header("www-authenticate"), "", "no header was used");
        }
    }
    Ok(())
}

/// RFC 9864 gives `EdDSA` with this curve a name of its own.
#[tokio::test]
async fn c4_the_newer_name_of_an_algorithm_is_the_same_algorithm() -> Result<()> {
    let client = Keyed::registered(ProofKey::eddsa(14)).await?;
    let (path, fields) = ENDPOINTS[0];
    let assertion = client.key.sign(&json!({ "alg": "Ed25519" }), &client.claims());
    let answer = client.present(path, fields, &assertion).await?;
    assert!(known(&answer), "{}", answer.text);
    let assertion = client.key.sign(&json!({ "alg": "ES256" }), &client.claims());
    let other = client.present(path, fields, &assertion).await?;
    assert_eq!(other.error(), "invalid_client", "not the key's own");
    Ok(())
}

#[tokio::test]
async fn c4_an_assertion_is_used_once_however_many_present_it() -> Result<()> {
    let client = Keyed::registered(ProofKey::es256(12)).await?;
    let (path, fields) = ENDPOINTS[0];
    let assertion = client.assertion();
    let all = try_join_all((0..20).map(|_| client.present(path, fields, &assertion))).await?;
    assert_eq!(all.iter().filter(|answer| known(answer)).count(), 1);
    Ok(())
}

#[tokio::test]
async fn c4_what_is_signed_otherwise_proves_nothing() -> Result<()> {
    let client = Keyed::registered(ProofKey::eddsa(13)).await?;
    let (path, fields) = ENDPOINTS[0];
    let with = |name: &str, value: Value| {
        let mut claims = client.claims();
        claims[name] = value;
        client.key.sign(&client.header(), &claims)
    };
    let now = client.claims()["iat"].as_u64().unwrap_or_default();
    for (what, assertion) in [
        ("another key", ProofKey::eddsa(14).sign(&client.header(), &client.claims())),
        ("no algorithm", client.key.sign(&json!({ "alg": "none" }), &client.claims())),
        ("a MAC", client.key.sign(&json!({ "alg": "HS256" }), &client.claims())),
        ("for another", with("aud", json!("https://other.example"))),
        ("for others, too", {
            with("aud", json!([client.world.issuer(), "https://other.example"]))
        }),
        ("of another", with("sub", json!("atoms-web"))),
        ("over", with("exp", json!(now - 120))),
        ("too long", with("exp", json!(now + 3600))),
        ("without a name", with("jti", Value::Null)),
    ] {
        let answer = client.present(path, fields, &assertion).await?;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{what}");
    }
    let answer = client.present(path, fields, &client.assertion()).await?;
    assert!(known(&answer), "{}", answer.text);
    Ok(())
}

/// Downgrade: neither its name nor a secret will do for a client with a key, and no key for others.
#[tokio::test]
async fn c4_a_client_uses_no_other_method_than_its_own() -> Result<()> {
    let client = Keyed::registered(ProofKey::es256(15)).await?;
    let api = &client.world.api;
    for (path, fields) in ENDPOINTS {
        let name = [("client_id", client.id.as_str())];
        let secret = [("client_secret", "x")];
        for form in [[&name[..], fields].concat(), [&name[..], &secret, fields].concat()] {
            let answer = api.form(path, &form).await?;
            assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{path}");
        }
        let request = api.request(Method::POST, path).basic_auth(&client.id, Some("x"));
        let answer = api.send(request.form(fields)).await?;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{path}");
        let other = Keyed {
            world: client.world.clone(),
            id: "atoms-api".to_owned(),
            key: ProofKey::es256(15),
        };
        let answer = client.present(path, fields, &other.assertion()).await?;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn c3_an_assertion_beside_another_method_is_refused() -> Result<()> {
    let client = Keyed::registered(ProofKey::es256(16)).await?;
    let api = &client.world.api;
    for (path, fields) in ENDPOINTS {
        let assertion = client.assertion();
        let proof = [("client_assertion_type", TYPE), ("client_assertion", assertion.as_str())];
        for more in [
            &[("client_secret", "x"), ("client_id", client.id.as_str())][..],
            &[("client_id", "atoms-web")],
        ] {
            let answer = api.form(path, &[&proof, more, fields].concat()).await?;
            assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "{path}");
        }
        let request = api.request(Method::POST, path).basic_auth(&client.id, Some("x"));
        let answer = api.send(request.form(&[&proof, fields].concat())).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "{path}");
        for half in [&proof[..1], &proof[1..]] {
            let answer = api.form(path, &[half, fields].concat()).await?;
            assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "{path}");
        }
        let answer = client.present(path, fields, &assertion).await?;
        assert!(known(&answer), "{path}: it was not used up: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn keys_elsewhere_are_fetched_and_those_that_are_none_are_not() -> Result<()> {
    let world = World::attach()?;
    let web = Web::of(&world)?;
    let (path, fields) = ENDPOINTS[0];
    let set = |key: &ProofKey| Page::json(&json!({ "keys": [key.jwk()] }));
    let url = web.publish(set(&ProofKey::es256(17)));
    let client = Keyed::with(ProofKey::es256(17), json!({ "jwks_uri": url })).await?;
    let answer = client.present(path, fields, &client.assertion()).await?;
    assert!(known(&answer), "{}", answer.text);
    let mut private = ProofKey::es256(18).jwk();
    private["d"] = "c2VjcmV0".into();
    for page in [
        Page::json(&json!({ "keys": [private] })),
        Page {
            status: "302 Found",
            headers: format!("location: {url}\r\n"),
            ..set(&ProofKey::es256(18))
        },
        Page::of("text/html", &json!({ "keys": [ProofKey::es256(18).jwk()] }).to_string()),
        Page::of("application/json", &" ".repeat(20_000)),
    ] {
        let url = web.publish(page);
        let client = Keyed::with(ProofKey::es256(18), json!({ "jwks_uri": url })).await?;
        let answer = client.present(path, fields, &client.assertion()).await?;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{}", answer.text);
        assert_eq!(web.asked(&url), 1);
    }
    Ok(())
}

#[tokio::test]
async fn m10_a_client_of_a_document_proves_itself_by_its_key() -> Result<()> {
    let world = World::attach()?;
    let web = Web::of(&world)?;
    let (path, fields) = ENDPOINTS[0];
    let (url, key) = (web.address(), ProofKey::es256(19));
    web.show(
        &url,
        Page::json(&json!({
            "client_id": url,
            "client_name": "An app with a document and a key",
            "redirect_uris": ["http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [key.jwk()] },
        })),
    );
    let client = Keyed { world: world.clone(), id: url.clone(), key };
    let answer = client.present(path, fields, &client.assertion()).await?;
    assert!(known(&answer), "{}", answer.text);
    let answer = world.api.form(path, &[&[("client_id", url.as_str())], fields].concat()).await?;
    assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "downgraded");
    Ok(())
}
