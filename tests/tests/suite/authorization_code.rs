//! Codes, from the authorization endpoint to the token endpoint: RFC 6749 section 4.1, RFC 7636.

use anyhow::Result;
use e2e::browser::{Browser, CALLBACK, Code};
use e2e::client::{Fields, TOKEN};
use e2e::{Answer, Jwt, World};
use futures::future::{join_all, try_join_all};

const WEB: &str = "atoms-web";

async fn redeem(world: &World, client: &str, code: &Code, more: Fields<'_>) -> Result<Answer> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.code.as_str()),
        ("code_verifier", code.verifier.as_str()),
        ("redirect_uri", CALLBACK),
    ];
    let said = |name: &str| more.iter().any(|(known, _)| *known == name);
    let usual: Vec<_> = fields.into_iter().filter(|(name, _)| !said(name)).collect();
    world.api.form_as(TOKEN, world.client(client)?, &[&usual, more].concat()).await
}

fn refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer.error()), (400, error), "{}", answer.text);
}

/// The code of a person nobody knew before, for `atoms-web`.
async fn code(world: &World) -> Result<(Browser, Code)> {
    let person =
        world.workos.create_user(&format!("{}@example.test", e2e::world::unique())).await?;
    let browser = Browser::of(world, &person.email)?;
    let code = browser.code(WEB, &[]).await?;
    Ok((browser, code))
}

#[tokio::test]
async fn m12_a_code_is_exchanged_for_tokens_of_rfc_9068() -> Result<()> {
    let world = World::attach()?;
    let (_, code) = code(&world).await?;
    let answer = redeem(&world, WEB, &code, &[]).await?.expect(200, "the code")?;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["token_type"], "Bearer");
    let token = Jwt::read(answer.member("access_token"))?;
    assert_eq!(token.header["typ"], "at+jwt");
    for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "sid"] {
        assert!(!token.claims[claim].is_null(), "{claim}: {}", token.claims);
    }
    assert_eq!(
        (&token.claims["iss"], &token.claims["client_id"]),
        (&world.issuer().into(), &WEB.into())
    );
    assert!(world.is_active(answer.member("access_token")).await?);
    let refreshed = world.api.refresh(world.client(WEB)?, answer.member("refresh_token"), &[]);
    refreshed.await?.expect(200, "refresh")?;
    Ok(())
}

#[tokio::test]
async fn m13_the_refresh_token_of_a_public_client_rotates_with_each_use() -> Result<()> {
    let world = World::attach()?;
    let (_, code) = code(&world).await?;
    let answer = redeem(&world, WEB, &code, &[]).await?.expect(200, "the code")?;
    let mut seen = vec![answer.member("refresh_token").to_owned()];
    for _ in 0..3 {
        let newest = &seen[seen.len() - 1];
        let answer = world.api.refresh(world.client(WEB)?, newest, &[]).await?;
        let next = answer.expect(200, "refresh")?.member("refresh_token").to_owned();
        assert!(!next.is_empty() && !seen.contains(&next));
        seen.push(next);
    }
    refused(&world.api.refresh(world.client(WEB)?, &seen[0], &[]).await?, "invalid_grant");
    assert!(!world.is_active(&seen[3]).await?, "a grandparent ends the session");
    Ok(())
}

#[tokio::test]
async fn f18_a_replayed_code_is_denied_and_ends_what_it_has_issued() -> Result<()> {
    let world = World::attach()?;
    let (_, code) = code(&world).await?;
    let first = redeem(&world, WEB, &code, &[]).await?.expect(200, "the code")?;
    let (access, refresh) = (first.member("access_token"), first.member("refresh_token"));
    assert!(world.is_active(access).await?);
    refused(&redeem(&world, WEB, &code, &[]).await?, "invalid_grant");
    assert!(!world.is_active(access).await? && !world.is_active(refresh).await?);
    refused(&world.api.refresh(world.client(WEB)?, refresh, &[]).await?, "invalid_grant");
    Ok(())
}

#[tokio::test]
async fn f18_what_comes_with_anything_wrong_ends_nothing() -> Result<()> {
    let world = World::attach()?;
    let (_, code) = code(&world).await?;
    let verifier = [("code_verifier", "a-verifier-of-somebody-else-0123456789-0123456789")];
    refused(&redeem(&world, WEB, &code, &verifier).await?, "invalid_grant");
    let first = redeem(&world, WEB, &code, &[]).await?.expect(200, "it was not used up")?;
    for (client, wrong, error) in [
        (WEB, verifier, "invalid_grant"),
        (WEB, [("redirect_uri", "http://127.0.0.1/other")], "invalid_grant"),
        (WEB, [("resource", "https://other.example")], "invalid_target"),
        ("atoms-cli", [("redirect_uri", CALLBACK)], "invalid_grant"),
    ] {
        refused(&redeem(&world, client, &code, &wrong).await?, error);
    }
    assert!(world.is_active(first.member("access_token")).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_of_fifty_redemptions_at_once_one_succeeds() -> Result<()> {
    let world = World::attach()?;
    for round in 0..10 {
        let (_, code) = code(&world).await?;
        let all = join_all((0..50).map(|_| redeem(&world, WEB, &code, &[]))).await;
        let (mut issued, mut denied) = (Vec::new(), 0);
        for answer in all {
            let answer = answer?;
            match answer.status {
                200 => issued.push(answer.member("access_token").to_owned()),
                _ => {
                    refused(&answer, "invalid_grant");
                    denied += 1;
                }
            }
        }
        assert_eq!((issued.len(), denied), (1, 49), "round {round}");
        assert!(!world.is_active(&issued[0]).await?, "and the others have ended it");
    }
    Ok(())
}

#[tokio::test]
async fn a_browser_that_is_signed_in_gets_codes_of_sessions_of_their_own() -> Result<()> {
    let world = World::attach()?;
    let (browser, first) = code(&world).await?;
    let others = try_join_all([browser.code(WEB, &[]), browser.code("atoms-service", &[])]).await?;
    let codes = [(WEB, &first), (WEB, &others[0]), ("atoms-service", &others[1])];
    let mut sessions = Vec::new();
    for (client, code) in codes {
        let answer = redeem(&world, client, code, &[]).await?.expect(200, client)?;
        let claims = e2e::claims(answer.member("access_token"))?;
        sessions.push(claims["sid"].to_string());
    }
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 3);
    Ok(())
}

#[tokio::test]
async fn f7_a_resource_narrows_the_audience_within_what_was_asked_for() -> Result<()> {
    let world = World::attach()?;
    let (browser, code) = code(&world).await?;
    let mcp = world.mcp();
    let resource = [("resource", mcp.as_str())];
    let answer = redeem(&world, WEB, &code, &resource).await?.expect(200, "the code")?;
    assert_eq!(e2e::claims(answer.member("access_token"))?["aud"], mcp.as_str());
    let code = browser.code(WEB, &resource).await?;
    let wider = [("resource", world.issuer())];
    refused(&redeem(&world, WEB, &code, &wider).await?, "invalid_target");
    redeem(&world, WEB, &code, &[]).await?.expect(200, "the code is still good")?;
    Ok(())
}

#[tokio::test]
async fn f1_what_is_missing_is_named_and_what_is_no_code_is_refused() -> Result<()> {
    let world = World::attach()?;
    let (_, code) = code(&world).await?;
    for missing in ["code", "code_verifier"] {
        refused(&redeem(&world, WEB, &code, &[(missing, "")]).await?, "invalid_request");
    }
    for none in ["x", "ac1_x", &code.code[4..], &code.code.replace("ac1_", "ar1_")] {
        refused(&redeem(&world, WEB, &code, &[("code", none)]).await?, "invalid_grant");
    }
    redeem(&world, WEB, &code, &[]).await?.expect(200, "the code itself")?;
    Ok(())
}
