use anyhow::Result;
use e2e::client::{INTROSPECT, REVOKE, TOKEN};
use e2e::{Answer, World};
use serde_json::{Value, json};

#[tokio::test]
async fn m1_the_authorization_server_describes_itself() -> Result<()> {
    let world = World::attach()?;
    let answer = document(&world, "oauth-authorization-server").await?;
    let body = &answer.body;
    assert_eq!(body["issuer"], world.issuer());
    for (name, path) in [
        ("authorization_endpoint", "/oauth/authorize"),
        ("pushed_authorization_request_endpoint", "/oauth/par"),
        ("registration_endpoint", "/oauth/register"),
        ("token_endpoint", TOKEN),
        ("revocation_endpoint", REVOKE),
        ("introspection_endpoint", INTROSPECT),
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        assert_eq!(body[name], world.api.url(path), "{name}");
    }
    let grants = [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ];
    assert_eq!(body["grant_types_supported"], json!(grants));
    assert_eq!(body["response_types_supported"], json!(["code"]));
    assert_eq!(body["response_modes_supported"], json!(["query"]));
    assert_eq!(body["code_challenge_methods_supported"], json!(["S256"]), "or clients must refuse");
    assert!(contains(&body["dpop_signing_alg_values_supported"], "ES256"));
    assert!(contains(&body["token_endpoint_auth_methods_supported"], "private_key_jwt"));
    assert!(contains(&body["token_endpoint_auth_signing_alg_values_supported"], "ES256"));
    assert_eq!(body["client_id_metadata_document_supported"], true);
    for absent in ["request_parameter_supported", "request_uri_parameter_supported"] {
        assert_eq!(body[absent], false, "{absent}");
    }
    assert!(contains(&body["scopes_supported"], "offline_access"));
    assert!(contains(&body["token_endpoint_auth_methods_supported"], "client_secret_basic"));
    // RFC 7009 lets public clients revoke; RFC 7662 lets nobody ask who cannot prove who they are.
    assert!(contains(&body["revocation_endpoint_auth_methods_supported"], "none"));
    assert!(contains(&body["introspection_endpoint_auth_methods_supported"], "client_secret_post"));
    assert!(!contains(&body["introspection_endpoint_auth_methods_supported"], "none"));
    assert_eq!(body["introspection_signing_alg_values_supported"], json!(["EdDSA"]));
    Ok(())
}

#[tokio::test]
async fn m1_clients_that_take_the_mcp_endpoint_for_the_issuer_find_the_same() -> Result<()> {
    let world = World::attach()?;
    let name = "oauth-authorization-server";
    let there = document(&world, &format!("{name}/mcp")).await?;
    assert_eq!(there.body, document(&world, name).await?.body);
    let elsewhere = world.api.get(&format!("/.well-known/{name}/other")).await?;
    assert_eq!(elsewhere.status, 404);
    Ok(())
}

#[tokio::test]
async fn m9_that_answers_name_their_issuer_is_told() -> Result<()> {
    let world = World::attach()?;
    let body = document(&world, "oauth-authorization-server").await?.body;
    assert_eq!(body["authorization_response_iss_parameter_supported"], true);
    Ok(())
}

#[tokio::test]
async fn m1_what_a_request_says_of_its_host_changes_nothing() -> Result<()> {
    let world = World::attach()?;
    let path = "/.well-known/oauth-authorization-server";
    let mut request = world.api.request(reqwest::Method::GET, path);
    for header in ["x-forwarded-host", "x-forwarded-proto", "forwarded"] {
        request = request.header(header, "host=evil.example");
    }
    let answer = world.api.send(request).await?;
    assert_eq!(answer.body["issuer"], world.issuer());
    assert!(!answer.text.contains("evil"), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn m2_each_resource_describes_itself() -> Result<()> {
    let world = World::attach()?;
    for (path, resource) in [
        ("oauth-protected-resource", world.issuer().to_owned()),
        ("oauth-protected-resource/mcp", world.mcp()),
    ] {
        let body = document(&world, path).await?.body;
        assert_eq!(body["resource"], json!(resource));
        assert_eq!(body["authorization_servers"], json!([world.issuer()]));
        assert_eq!(body["bearer_methods_supported"], json!(["header"]));
    }
    Ok(())
}

#[tokio::test]
async fn m7_offline_access_is_no_scope_of_a_resource() -> Result<()> {
    let world = World::attach()?;
    for path in ["oauth-protected-resource", "oauth-protected-resource/mcp"] {
        let body = document(&world, path).await?.body;
        assert!(!contains(&body["scopes_supported"], "offline_access"));
    }
    Ok(())
}

#[tokio::test]
async fn the_keys_are_public() -> Result<()> {
    let world = World::attach()?;
    let body = document(&world, "jwks.json").await?.body;
    let keys = body["keys"].as_array().cloned().unwrap_or_default();
    assert!(!keys.is_empty());
    for key in keys {
        assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")));
        assert!(key["kid"].is_string() && key["x"].is_string());
        assert!(key.get("d").is_none(), "a private key is published");
    }
    Ok(())
}

/// A document of the well-known path, with what holds for all of them.
async fn document(world: &World, name: &str) -> Result<Answer> {
    let answer = world.api.get(&format!("/.well-known/{name}")).await?.expect(200, name)?;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    Ok(answer)
}

fn contains(list: &Value, text: &str) -> bool {
    list.as_array().is_some_and(|all| all.iter().any(|one| one == text))
}
