//! A client that acts for itself: RFC 6749 section 4.4.

use anyhow::Result;
use e2e::client::{Fields, TOKEN};
use e2e::{Answer, World};
use futures::future::try_join_all;

const SERVICE: &str = "atoms-service";

async fn ask(world: &World, client: &str, more: Fields<'_>) -> Result<Answer> {
    let fields = [&[("grant_type", "client_credentials")], more].concat();
    world.api.form_as(TOKEN, world.client(client)?, &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn m12_a_service_has_tokens_of_its_own_that_can_be_revoked() -> Result<()> {
    let world = World::attach()?;
    // The tests of this suite are not the only ones of this client: a part that nobody else asks for.
    let own = [("scope", "audit:read sessions:read")];
    let all = try_join_all((0..20).map(|_| ask(&world, SERVICE, &own))).await?;
    let first = all[0].clone().expect(200, "client credentials")?;
    let token = first.member("access_token");
    assert!(all.iter().all(|one| one.member("access_token") == token), "its instances share it");
    assert!(first.body.get("refresh_token").is_none());
    let claims = e2e::claims(token)?;
    assert_eq!((&claims["sub"], &claims["client_id"]), (&SERVICE.into(), &SERVICE.into()));
    assert!(claims.get("org").is_none() && claims.get("roles").is_none());
    let told = world.api.introspect(world.client("atoms-api")?, token, &[]).await?;
    assert_eq!((&told.body["active"], &told.body["sub"]), (&true.into(), &SERVICE.into()));
    world.api.revoke(world.client(SERVICE)?, token, &[]).await?.expect(200, "revoke")?;
    assert!(!world.is_active(token).await?);
    let next = ask(&world, SERVICE, &own).await?.expect(200, "client credentials")?;
    assert!(next.member("access_token") != token);
    assert!(world.is_active(next.member("access_token")).await?);
    Ok(())
}

#[tokio::test]
async fn nobody_else_may_and_nothing_that_needs_a_person() -> Result<()> {
    let world = World::attach()?;
    for client in ["atoms-web", "atoms-cli", "third-party", "atoms-api"] {
        let answer = ask(&world, client, &[]).await?;
        assert_eq!((answer.status, answer.error()), (400, "unauthorized_client"), "{client}");
    }
    for (wrong, error) in [
        (("scope", "offline_access"), "invalid_scope"),
        (("scope", "made:up"), "invalid_scope"),
        (("resource", "https://other.example"), "invalid_target"),
    ] {
        let answer = ask(&world, SERVICE, &[wrong]).await?;
        assert_eq!((answer.status, answer.error()), (400, error), "{}", answer.text);
    }
    let token = ask(&world, SERVICE, &[]).await?.expect(200, "client credentials")?;
    let sessions = world.api.sessions(token.member("access_token")).await?;
    assert_eq!(sessions.status, 403, "it has no sessions: {}", sessions.text);
    Ok(())
}
