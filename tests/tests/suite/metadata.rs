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
        ("token_endpoint", TOKEN),
        ("revocation_endpoint", REVOKE),
        ("introspection_endpoint", INTROSPECT),
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        assert_eq!(body[name], world.api.url(path), "{name}");
    }
    let grants = ["refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"];
    assert_eq!(body["grant_types_supported"], json!(grants));
    assert!(contains(&body["scopes_supported"], "offline_access"));
    assert!(contains(&body["token_endpoint_auth_methods_supported"], "client_secret_basic"));
    // RFC 7009 lets public clients revoke; RFC 7662 lets nobody ask who cannot prove who they are.
    assert!(contains(&body["revocation_endpoint_auth_methods_supported"], "none"));
    assert!(contains(&body["introspection_endpoint_auth_methods_supported"], "client_secret_post"));
    assert!(!contains(&body["introspection_endpoint_auth_methods_supported"], "none"));
    assert_eq!(body["introspection_signing_alg_values_supported"], json!(["EdDSA"]));
    // Required by RFC 8414 even when there is none.
    assert!(body["response_types_supported"].is_array());
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
