//! AuthKit grants that are handed over. How they are renewed takes time and faults: see the fault
//! suite.

use anyhow::Result;
use e2e::client::{REFRESH_TOKEN_TYPE, TOKEN, TOKEN_EXCHANGE};
use e2e::{Answer, World};
use serde_json::json;

async fn hand_over(world: &World, client: &str, token: &str) -> Result<Answer> {
    let fields = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", REFRESH_TOKEN_TYPE),
    ];
    world.api.form_as(TOKEN, world.client(client)?, &fields).await
}

#[tokio::test]
async fn a_service_hands_its_grant_over_and_the_session_shows_it() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let answer = hand_over(&world, "atoms-service", &authkit.refresh_token).await?;
    let answer = answer.expect(200, "token exchange")?;
    assert!(!answer.text.contains(&authkit.refresh_token));
    let access = answer.member("access_token");
    let listed = world.api.sessions(access).await?.expect(200, "sessions")?;
    assert_eq!(listed.body["sessions"][0]["upstream"], "active");
    // The app's own copy is dead.
    let organization = world.workos.create_organization("Too late").await?;
    assert!(world.workos.sign_in_organization(&authkit, &organization).await.is_err());
    // An exchange that is repeated, because our answer got lost, gives the same once more.
    let again = hand_over(&world, "atoms-service", &authkit.refresh_token).await?;
    let again = again.expect(200, "repeated token exchange")?;
    assert_eq!(again.member("refresh_token"), answer.member("refresh_token"));
    let plain = person.session("atoms-web").await?;
    let listed = world.api.sessions(&plain.access).await?.expect(200, "sessions")?;
    let own = listed.body["sessions"].as_array().into_iter().flatten();
    let own = own.into_iter().find(|one| one["current"] == json!(true));
    assert_eq!(own.map(|one| one["upstream"].is_null()), Some(true));
    let service = world.client("atoms-service")?;
    world.api.revoke(service, answer.member("refresh_token"), &[]).await?.expect(200, "revoke")?;
    Ok(())
}

#[tokio::test]
async fn only_first_party_clients_with_a_secret_may_hand_a_grant_over() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    for client in ["atoms-web", "atoms-cli", "third-party", "atoms-api"] {
        let answer = hand_over(&world, client, &authkit.refresh_token).await?;
        let got = (answer.status, answer.error());
        assert_eq!(got, (400, "unauthorized_client"), "{client}: {}", answer.text);
    }
    // Nobody has redeemed it.
    let organization = world.workos.create_organization("In time").await?;
    world.workos.add_membership(&person.user.id, &organization, "member").await?;
    world.workos.sign_in_organization(&authkit, &organization).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_no_refresh_token_of_workos_is_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let long = "x".repeat(40_000);
    for token in ["ref_made_up", "ключ", "\u{0}", &long, &session.refresh, &session.access] {
        let answer = hand_over(&world, "atoms-service", token).await?;
        let got = (answer.status, answer.error());
        assert_eq!(got, (400, "invalid_request"), "{token:.60}: {}", answer.text);
    }
    Ok(())
}
