use anyhow::Result;
use e2e::client::{ACCESS_TOKEN_TYPE, REFRESH, TOKEN, TOKEN_EXCHANGE};
use e2e::{Answer, Jwt, World};
use serde_json::json;

const GRANTED: &str =
    "atoms:workspace.read atoms:workspace.write sessions:read sessions:write audit:read";

#[tokio::test]
async fn an_answer_has_what_rfc_8693_asks_for() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let body = &session.answer.body;
    assert_eq!(body["issued_token_type"], ACCESS_TOKEN_TYPE);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], GRANTED);
    assert!(body["expires_in"].as_u64().is_some_and(|s| (890..=900).contains(&s)));
    assert!(body["refresh_in"].as_u64().is_some_and(|s| (590..=600).contains(&s)));
    assert!(session.refresh.starts_with("ar1_"));
    assert_eq!(session.answer.header("cache-control"), "no-store");
    assert_eq!(session.answer.header("pragma"), "no-cache");
    Ok(())
}

#[tokio::test]
async fn m12_the_access_token_is_of_rfc_9068() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let token = Jwt::read(&session.access)?;
    assert_eq!((&token.header["typ"], &token.header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    let keys = world.api.get("/.well-known/jwks.json").await?.expect(200, "keys")?;
    let known = keys.body["keys"].as_array().into_iter().flatten();
    assert!(known.into_iter().any(|key| key["kid"] == token.header["kid"]));
    let claims = &token.claims;
    assert_eq!(claims["iss"], world.issuer());
    assert_eq!(claims["sub"], json!(person.user.id));
    assert_eq!(claims["aud"], json!([world.issuer(), world.mcp()]));
    assert_eq!(claims["client_id"], "atoms-web");
    assert_eq!(claims["scope"], GRANTED);
    assert_eq!(claims["roles"], json!(["owner"]));
    assert!(claims["org"].is_string() && claims["sid"].is_string() && claims["jti"].is_string());
    let (issued, expires) = (claims["iat"].as_u64(), claims["exp"].as_u64());
    assert_eq!(expires, issued.map(|at| at + 900));
    assert!(!session.refresh.contains(&person.user.id));
    Ok(())
}

#[tokio::test]
async fn one_sign_in_by_one_client_is_one_session() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let first = person.session_of("atoms-web", &authkit.access_token, &[]).await?;
    let again = person.session_of("atoms-web", &authkit.access_token, &[]).await?;
    assert_eq!((&first.access, &first.refresh), (&again.access, &again.refresh));
    let next = first.refreshed(&world.api).await?;
    let later = person.session_of("atoms-web", &authkit.access_token, &[]).await?;
    assert_eq!((later.id()?, &later.refresh), (first.id()?, &next.refresh));
    next.refreshed(&world.api).await?;
    Ok(())
}

#[tokio::test]
async fn other_clients_and_other_sign_ins_are_other_sessions() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let web = person.session_of("atoms-web", &authkit.access_token, &[]).await?;
    let cli = person.session_of("atoms-cli", &authkit.access_token, &[]).await?;
    let later = person.session("atoms-web").await?;
    assert_ne!(web.id()?, cli.id()?);
    assert_ne!(web.id()?, later.id()?);
    assert_eq!(web.claims()?["org"], later.claims()?["org"]);
    Ok(())
}

#[tokio::test]
async fn an_ended_session_is_not_revived_by_its_sign_in() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let session = person.session_of("atoms-web", &authkit.access_token, &[]).await?;
    world.api.revoke(&session.client, &session.refresh, &[]).await?.expect(200, "revoke")?;
    let again = world.api.exchange(&session.client, &authkit.access_token, &[]).await?;
    refused(&again, "invalid_request");
    Ok(())
}

#[tokio::test]
async fn clients_that_are_not_first_party_are_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    for client in ["third-party", "atoms-api", "atoms-narrow"] {
        let answer = world.api.exchange(world.client(client)?, &authkit.access_token, &[]).await?;
        refused(&answer, "unauthorized_client");
    }
    Ok(())
}

#[tokio::test]
async fn scopes_are_granted_as_registered() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    for (asked, granted) in [
        ("sessions:read", "sessions:read"),
        ("sessions:read sessions:read", "sessions:read"),
        ("offline_access atoms:workspace.read", "offline_access atoms:workspace.read"),
        ("", GRANTED),
    ] {
        let session = person.session_with("atoms-web", &[("scope", asked)]).await?;
        assert_eq!(session.answer.body["scope"], granted);
        assert_eq!(session.claims()?["scope"], granted);
    }
    let authkit = person.sign_in().await?;
    for asked in ["admin", "sessions:read admin", "sessions:read\tx", "\"", "é", " "] {
        let fields = [("scope", asked)];
        let client = world.client("atoms-web")?;
        let answer = world.api.exchange(client, &authkit.access_token, &fields).await?;
        refused(&answer, "invalid_scope");
    }
    Ok(())
}

#[tokio::test]
async fn a_repetition_that_asks_for_nothing_gets_what_the_first_one_asked_for() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let (scope, resource) = (("scope", "sessions:read"), world.issuer().to_owned());
    let asked = [scope, ("resource", resource.as_str())];
    let first = person.session_of("atoms-web", &authkit.access_token, &asked).await?;
    let again = person.session_of("atoms-web", &authkit.access_token, &[]).await?;
    assert_eq!((&first.access, &first.refresh), (&again.access, &again.refresh));
    let wider = [("scope", "sessions:write")];
    let answer = world.api.exchange(&first.client, &authkit.access_token, &wider).await?;
    refused(&answer, "invalid_scope");
    Ok(())
}

#[tokio::test]
async fn a_session_for_offline_use_lasts_longer() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let scope = [("scope", "offline_access sessions:read")];
    let session = person.session_with("atoms-cli", &scope).await?;
    let listed = world.api.sessions(&session.access).await?.expect(200, "sessions")?;
    let entry = &listed.body["sessions"][0];
    let lasts = |name: &str| Some(entry[name].as_u64()? - entry["created_at"].as_u64()?);
    assert_eq!(lasts("idle_expires_at"), Some(7 * 86_400));
    assert_eq!(lasts("expires_at"), Some(30 * 86_400));
    Ok(())
}

#[tokio::test]
async fn resources_become_the_audience() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let (issuer, mcp) = (world.issuer().to_owned(), world.mcp());
    let slash = format!("{issuer}/");
    for (asked, audience) in [
        (vec![("resource", issuer.as_str())], json!(issuer)),
        (vec![("resource", mcp.as_str())], json!(mcp)),
        (vec![("resource", slash.as_str())], json!(issuer)),
        (vec![("resource", &mcp), ("resource", &issuer)], json!([mcp, issuer])),
        (vec![("resource", &mcp), ("resource", &mcp)], json!(mcp)),
    ] {
        let session = person.session_with("atoms-web", &asked).await?;
        assert_eq!(session.claims()?["aud"], audience);
    }
    Ok(())
}

#[tokio::test]
async fn f7_foreign_resources_are_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let mcp = world.mcp();
    let (fragment, query, user) =
        (format!("{mcp}#x"), format!("{mcp}?x=1"), mcp.replace("http://", "http://user@"));
    for resource in ["https://elsewhere.example/mcp", "/mcp", "mcp", &fragment, &query, &user, ":"]
    {
        for resources in [vec![resource], vec![&mcp, resource]] {
            let fields: Vec<_> = resources.into_iter().map(|one| ("resource", one)).collect();
            let client = world.client("atoms-web")?;
            let answer = world.api.exchange(client, &authkit.access_token, &fields).await?;
            refused(&answer, "invalid_target");
        }
    }
    Ok(())
}

#[tokio::test]
async fn missing_and_unsupported_parameters_are_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let token = authkit.access_token.as_str();
    let complete = [
        ("client_id", "atoms-web"),
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", ACCESS_TOKEN_TYPE),
    ];
    for missing in 1..complete.len() {
        let mut fields = complete.to_vec();
        fields.remove(missing);
        refused(&world.api.form(TOKEN, &fields).await?, "invalid_request");
        fields.insert(missing, (complete[missing].0, ""));
        refused(&world.api.form(TOKEN, &fields).await?, "invalid_request");
    }
    for odd in [
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("actor_token", token),
    ] {
        let mut fields: Vec<_> = complete.into_iter().filter(|(name, _)| *name != odd.0).collect();
        fields.push(odd);
        refused(&world.api.form(TOKEN, &fields).await?, "invalid_request");
    }
    world.api.form(TOKEN, &complete).await?.expect(200, "the complete request")?;
    Ok(())
}

#[tokio::test]
async fn f8_grant_types_that_are_not_served() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    for kind in ["password", "implicit", "é", "REFRESH_TOKEN"] {
        let fields = [("client_id", "atoms-web"), ("grant_type", kind)];
        refused(&world.api.form(TOKEN, &fields).await?, "unsupported_grant_type");
    }
    // The endpoint of the refresh grant serves nothing else.
    let fields = [
        ("client_id", "atoms-web"),
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", authkit.access_token.as_str()),
        ("subject_token_type", ACCESS_TOKEN_TYPE),
    ];
    refused(&world.api.form(REFRESH, &fields).await?, "unsupported_grant_type");
    Ok(())
}

fn refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer.error()), (400, error), "{}", answer.text);
}
