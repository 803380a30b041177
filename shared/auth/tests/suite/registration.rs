//! Clients that register themselves, RFC 7591, and manage that, RFC 7592.

use auth::registration::{Manage, ManageError, manage, register};
use auth::{Failure, clients};
use data::clients::{ClientKind, ClientOrigin, ClientRecord};
use futures::executor::block_on;
use http::HeaderMap;
use oauth::{ErrorCode, OAuthError};
use serde_json::{Value, json};
use testing::{Dependency, Fault, NOW, ProofKey};

use crate::support::{DAY, Edge, MINUTE, basic, form, word};

fn headers(more: &[(&'static str, &str)]) -> HeaderMap {
    let all = [("content-type", "application/json")].iter().chain(more);
    all.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn enrol(edge: &Edge, metadata: &Value) -> Result<Value, Failure> {
    enrol_from(edge, &headers(&[]), metadata)
}

fn enrol_from(edge: &Edge, headers: &HeaderMap, metadata: &Value) -> Result<Value, Failure> {
    let body = metadata.to_string();
    let (platform, client) = (&edge.world.platform, &edge.client);
    block_on(register(platform, &edge.settings, client, headers, body.as_bytes()))
        .map(|registered| registered.body)
}

fn minimal() -> Value {
    json!({ "redirect_uris": ["https://app.example/cb"], "client_name": "The app" })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut metadata = minimal();
    metadata[name] = value.into();
    metadata
}

fn public() -> Value {
    with("token_endpoint_auth_method", "none")
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn find(edge: &Edge, id: &str) -> Result<Option<ClientRecord>, Failure> {
    block_on(clients::find(&edge.world.platform, &edge.settings.sql, id))
}

fn managed(edge: &Edge, told: &Value, asked: Manage<'_>) -> Result<Option<Value>, ManageError> {
    managed_by(edge, text(told, "client_id"), text(told, "registration_access_token"), asked)
}

fn managed_by(
    edge: &Edge,
    id: &str,
    token: &str,
    asked: Manage<'_>,
) -> Result<Option<Value>, ManageError> {
    let headers = headers(&[("authorization", &format!("Bearer {token}"))]);
    let (platform, client) = (&edge.world.platform, &edge.client);
    block_on(manage(platform, &edge.settings, client, &headers, id, asked))
}

fn changed(edge: &Edge, told: &Value, metadata: &Value) -> Result<Option<Value>, ManageError> {
    let body = metadata.to_string();
    managed(edge, told, Manage::Change(body.as_bytes()))
}

#[test]
fn m11_a_client_registers_itself_and_is_told_its_secrets_once() {
    let edge = Edge::new();
    let told = enrol(&edge, &minimal()).unwrap();
    let (id, secret) = (text(&told, "client_id"), text(&told, "client_secret"));
    assert!(id.starts_with("dyn-") && id.len() == 36 && secret.len() > 40);
    assert_eq!(told["client_secret_expires_at"], 0);
    assert_eq!(told["client_id_issued_at"], NOW / 1000);
    assert!(text(&told, "registration_access_token").len() > 40);
    let uri = format!("https://edge.example/oauth/register/{id}");
    assert_eq!(text(&told, "registration_client_uri"), uri);
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told["redirect_uris"], json!(["https://app.example/cb"]));
    assert_eq!(told["grant_types"], json!(["authorization_code"]));
    assert_eq!(told["response_types"], json!(["code"]));
    assert_eq!(told["scope"], "atoms:workspace.read atoms:workspace.write offline_access");
    assert!(told.as_object().unwrap().values().all(|value| !value.is_null()));

    let record = edge.record(id);
    assert_eq!((record.kind, record.origin), (ClientKind::Confidential, ClientOrigin::Dynamic));
    assert_eq!(record.expires_at, Some(NOW + 90 * DAY));
    let stored = serde_json::to_string(&record).unwrap();
    assert!(!stored.contains(secret), "only its hash");
    let header = basic(id, secret);
    assert!(block_on(edge.authenticate(Some(&header), &form(&[]))).is_ok());
    let wrong = basic(id, text(&told, "registration_access_token"));
    assert_eq!(word(block_on(edge.authenticate(Some(&wrong), &form(&[])))), "invalid_client");
}

#[test]
fn m11_a_public_client_has_no_secret_and_no_two_are_alike() {
    let edge = Edge::new();
    let (one, two) = (enrol(&edge, &public()).unwrap(), enrol(&edge, &public()).unwrap());
    for name in ["client_secret", "client_secret_expires_at"] {
        assert!(one.get(name).is_none(), "{name}");
    }
    for name in ["client_id", "registration_access_token"] {
        assert_ne!(text(&one, name), text(&two, name));
    }
    let id = text(&one, "client_id");
    assert!(block_on(edge.authenticate(None, &form(&[("client_id", id)]))).is_ok());
}

#[test]
fn m11_a_client_with_keys_is_registered_without_a_secret() {
    let edge = Edge::new();
    let mut metadata = with("token_endpoint_auth_method", "private_key_jwt");
    metadata["jwks"] = json!({ "keys": [ProofKey::es256(1).jwk()] });
    let told = enrol(&edge, &metadata).unwrap();
    assert!(told.get("client_secret").is_none());
    assert_eq!(told["jwks"], metadata["jwks"]);
    let record = edge.record(text(&told, "client_id"));
    assert_eq!((record.kind, record.secret_hashes.len()), (ClientKind::Confidential, 0));
    let mut elsewhere = with("token_endpoint_auth_method", "private_key_jwt");
    for (url, fine) in [
        ("https://app.example/jwks.json", true),
        ("https://10.0.0.1/jwks.json", false),
        ("https://[::1]/jwks.json", false),
        ("https://0x7f.1/jwks.json", false),
        ("https://keys.internal/jwks.json", false),
        ("https://app.example:8443/jwks.json", false),
        ("https://edge.example/jwks.json", false),
        ("http://app.example/jwks.json", false),
    ] {
        elsewhere["jwks_uri"] = url.into();
        let outcome = enrol(&edge, &elsewhere);
        assert_eq!(outcome.is_ok(), fine, "{url}");
        assert!(fine || word(outcome) == "invalid_client_metadata", "{url}");
    }
    assert_eq!(edge.world.platform.calls(Dependency::Clients), 0, "nobody is asked to register");
}

#[test]
fn m11_errors_are_those_of_the_rfc() {
    let edge = Edge::new();
    let bad = with("redirect_uris", json!(["http://app.example/cb"]));
    assert_eq!(word(enrol(&edge, &bad)), "invalid_redirect_uri");
    let bad = with("token_endpoint_auth_method", "tls_client_auth");
    assert_eq!(word(enrol(&edge, &bad)), "invalid_client_metadata");
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/json2"] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", media.parse().unwrap());
        assert_eq!(
            word(enrol_from(&edge, &headers, &minimal())),
            "invalid_client_metadata",
            "{media}"
        );
    }
    assert_eq!(word(enrol_from(&edge, &HeaderMap::new(), &minimal())), "invalid_client_metadata");
    assert_eq!(edge.world.platform.calls(Dependency::Sql), 0);
    edge.world.platform.fail(Dependency::Sql, Fault::Away);
    assert_eq!(word(enrol(&edge, &minimal())), "unavailable");
    edge.world.platform.heal(Dependency::Sql);
    edge.world.platform.fail(Dependency::Ledger, Fault::Away);
    assert_eq!(word(enrol(&edge, &minimal())), "unavailable");
}

#[test]
fn m11_nobody_registers_what_only_we_give() {
    let edge = Edge::new();
    let mut metadata = minimal();
    for (name, value) in [
        ("client_id", json!("atoms-web")),
        ("client_secret", json!("chosen")),
        ("first_party", json!(true)),
        ("introspect_audiences", json!(["*"])),
        ("scope", json!("sessions:write audit:read")),
        ("grant_types", json!(["authorization_code", "client_credentials"])),
        ("policy", json!({ "rate_limit_tier": 100 })),
    ] {
        metadata[name] = value;
    }
    let told = enrol(&edge, &metadata).unwrap();
    let record = edge.record(text(&told, "client_id"));
    assert!(
        text(&told, "client_id").starts_with("dyn-") && text(&told, "client_secret") != "chosen"
    );
    assert!(!record.first_party && record.introspect_audiences.is_empty());
    assert_eq!((record.grant_types.len(), record.policy), (1, None));
    assert!(record.scopes.iter().all(|scope| !scope.starts_with("sessions:")));
}

#[test]
fn m11_a_network_registers_ten_clients_a_minute() {
    let mut edge = Edge::with(&[("RATE_LIMIT_TIER", "1")]);
    edge.client.proxy_header = Some("x-address".parse().unwrap());
    let from = |address: &str| enrol_from(&edge, &headers(&[("x-address", address)]), &public());
    for _ in 0..10 {
        assert!(from("192.0.2.1").is_ok());
    }
    let Err(Failure::Limited { budget }) = from("192.0.2.99") else { panic!("not limited") };
    assert_eq!((budget.limit, budget.remaining), (10, 0));
    assert!(budget.reset_at > NOW);
    assert!(from("198.51.100.1").is_ok(), "another network");
    assert!(from("unknown").is_ok(), "those that are not known are one");
    edge.world.platform.advance(2 * MINUTE);
    assert!(from("192.0.2.1").is_ok());
}

#[test]
fn m11_a_client_sees_changes_and_ends_its_registration() {
    let edge = Edge::new();
    let told = enrol(&edge, &minimal()).unwrap();
    let id = text(&told, "client_id");
    let seen = managed(&edge, &told, Manage::Read).unwrap().unwrap();
    assert!(seen.get("client_secret").is_none(), "it is told once");
    for name in ["client_id", "redirect_uris", "client_name", "scope", "registration_access_token"]
    {
        assert_eq!(seen[name], told[name], "{name}");
    }

    let mut new = with("client_id", id);
    new["redirect_uris"] = json!(["https://app.example/other"]);
    assert!(find(&edge, id).unwrap().is_some());
    let seen = changed(&edge, &told, &new).unwrap().unwrap();
    assert_eq!(seen["redirect_uris"], new["redirect_uris"]);
    let record = find(&edge, id).unwrap().unwrap();
    assert_eq!(record.redirect_uris, ["https://app.example/other"], "at once");
    let header = basic(id, text(&told, "client_secret"));
    assert!(block_on(edge.authenticate(Some(&header), &form(&[]))).is_ok(), "the secret stays");

    assert_eq!(managed(&edge, &told, Manage::Remove), Ok(None));
    assert!(edge.record(id).disabled);
    assert_eq!(word(block_on(edge.authenticate(Some(&header), &form(&[])))), "invalid_client");
    for asked in [Manage::Read, Manage::Remove] {
        assert_eq!(managed(&edge, &told, asked), Err(ManageError::Token));
    }
    assert_eq!(changed(&edge, &told, &new), Err(ManageError::Token));
}

#[test]
fn m11_a_registration_is_managed_by_its_own_token_alone() {
    let edge = Edge::new();
    let (mine, theirs) = (enrol(&edge, &minimal()).unwrap(), enrol(&edge, &public()).unwrap());
    let id = text(&mine, "client_id");
    let other = text(&theirs, "registration_access_token");
    for token in ["", "x", other, text(&mine, "client_secret"), "reg_"] {
        for asked in [Manage::Read, Manage::Remove] {
            assert_eq!(managed_by(&edge, id, token, asked), Err(ManageError::Token), "{token}");
        }
    }
    // Of clients that we registered nobody has a token, and of nobody neither.
    let own = text(&mine, "registration_access_token");
    for id in ["atoms-web", "nobody", "", "a\0b"] {
        assert_eq!(managed_by(&edge, id, own, Manage::Remove), Err(ManageError::Token), "{id}");
    }
    let (platform, client) = (&edge.world.platform, &edge.client);
    for header in [None, Some("Basic x"), Some("x")] {
        let more: Vec<_> = header.iter().map(|header| ("authorization", *header)).collect();
        let headers = headers(&more);
        let outcome =
            block_on(manage(platform, &edge.settings, client, &headers, id, Manage::Read));
        assert_eq!(outcome, Err(ManageError::Token), "{header:?}");
    }
    assert!(managed(&edge, &mine, Manage::Read).is_ok() && !edge.record("atoms-web").disabled);
}

#[test]
fn m11_a_change_is_judged_like_a_registration() {
    let edge = Edge::new();
    let told = enrol(&edge, &minimal()).unwrap();
    let id = text(&told, "client_id");
    let refused = |metadata: Value| match changed(&edge, &told, &metadata) {
        Err(ManageError::Failure(Failure::Refused { told: OAuthError { code, .. }, .. })) => code,
        other => panic!("{other:?}"),
    };
    let of_it = |name: &str, value: Value| {
        let mut metadata = with("client_id", id);
        metadata[name] = value;
        metadata
    };
    assert_eq!(refused(minimal()), ErrorCode::InvalidClientMetadata, "without its name");
    assert_eq!(refused(with("client_id", "atoms-web")), ErrorCode::InvalidClientMetadata);
    let refused_uri = refused(of_it("redirect_uris", json!(["javascript:x"])));
    assert_eq!(refused_uri, ErrorCode::InvalidRedirectUri);
    for name in ["client_secret", "registration_access_token", "client_secret_expires_at"] {
        assert_eq!(refused(of_it(name, json!("x"))), ErrorCode::InvalidClientMetadata, "{name}");
    }
    let mut inside = of_it("token_endpoint_auth_method", json!("private_key_jwt"));
    inside["jwks_uri"] = json!("https://10.0.0.1/jwks.json");
    assert_eq!(refused(inside), ErrorCode::InvalidClientMetadata);
    assert_eq!(managed(&edge, &told, Manage::Read).unwrap().unwrap()["scope"], told["scope"]);
}

#[test]
fn m11_another_method_means_another_proof() {
    let edge = Edge::new();
    let told = enrol(&edge, &public()).unwrap();
    let id = text(&told, "client_id");
    let of = |method: &str| {
        let mut metadata = with("client_id", id);
        metadata["token_endpoint_auth_method"] = method.into();
        metadata["jwks"] = json!({ "keys": [ProofKey::es256(1).jwk()] });
        changed(&edge, &told, &metadata).unwrap().unwrap()
    };
    let secret = text(&of("client_secret_post"), "client_secret").to_owned();
    let posted = [("client_id", id), ("client_secret", secret.as_str())];
    assert!(block_on(edge.authenticate(None, &form(&posted))).is_ok());
    assert!(of("client_secret_basic").get("client_secret").is_none(), "it stays");
    let header = basic(id, &secret);
    assert!(block_on(edge.authenticate(Some(&header), &form(&[]))).is_ok());
    assert!(of("private_key_jwt").get("client_secret").is_none());
    assert_eq!(edge.record(id).secret_hashes.len(), 0);
    assert_ne!(text(&of("client_secret_basic"), "client_secret"), secret, "a new one");
    of("none");
    assert_eq!((edge.record(id).kind, edge.record(id).jwks), (ClientKind::Public, None));
}

#[test]
fn m11_guesses_of_a_token_are_slowed_down() {
    let mut edge = Edge::new();
    edge.client.proxy_header = Some("x-address".parse().unwrap());
    let told = enrol(&edge, &public()).unwrap();
    let headers = headers(&[("authorization", "Bearer guess"), ("x-address", "192.0.2.1")]);
    let id = text(&told, "client_id");
    let (platform, client) = (&edge.world.platform, &edge.client);
    let guess = || block_on(manage(platform, &edge.settings, client, &headers, id, Manage::Read));
    for _ in 0..5 {
        assert_eq!(guess(), Err(ManageError::Token));
    }
    assert!(matches!(guess(), Err(ManageError::Failure(Failure::Backoff { .. }))));
    assert!(managed(&edge, &told, Manage::Read).is_ok(), "not those of another network");
}

#[test]
fn m11_what_nobody_uses_ends_and_what_is_used_goes_on() {
    let edge = Edge::new();
    let platform = &edge.world.platform;
    let (used, unused) = (enrol(&edge, &public()).unwrap(), enrol(&edge, &public()).unwrap());
    let (used, unused) = (text(&used, "client_id"), text(&unused, "client_id"));
    platform.advance(60 * DAY);
    assert!(find(&edge, used).unwrap().is_some());
    assert_eq!(edge.record(used).expires_at, Some(NOW + 150 * DAY));
    platform.advance(MINUTE);
    let writes = platform.calls(Dependency::Sql);
    assert!(find(&edge, used).unwrap().is_some());
    assert_eq!(platform.calls(Dependency::Sql), writes + 1, "written once a day at most");
    platform.advance(30 * DAY - MINUTE);
    assert_eq!(find(&edge, unused), Ok(None), "90 days are over");
    assert!(find(&edge, used).unwrap().is_some());
    platform.advance(90 * DAY);
    assert_eq!(find(&edge, used), Ok(None));
}

#[test]
fn a_client_that_is_over_is_over_in_every_cache() {
    let edge = Edge::new();
    let id = "atoms-web";
    edge.world.database.change(id, |client| client.expires_at = Some(NOW + MINUTE / 2));
    assert!(find(&edge, id).unwrap().is_some());
    edge.world.platform.advance(MINUTE / 2);
    assert_eq!(find(&edge, id), Ok(None), "in memory");
    edge.world.platform.fail(Dependency::Sql, Fault::Away);
    edge.world.platform.advance(MINUTE);
    assert_eq!(find(&edge, id), Ok(None), "in the cache, while the database is away");
}
