use anyhow::Result;
use e2e::client::{INTROSPECT, REVOKE};
use e2e::world::unique;
use e2e::{Answer, World};
use oauth::introspection_jwt::MEDIA_TYPE as JWT;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::json;
use stack::ClientInfo;

#[tokio::test]
async fn v1_a_refresh_token_goes_with_its_session() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let next = session.refreshed(&world.api).await?;
    done(&world.api.revoke(&next.client, &next.refresh, &[]).await?);
    for token in [&next.refresh, &session.refresh] {
        let answer = world.api.refresh(&next.client, token, &[]).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_grant"));
        assert!(!world.is_active(token).await?);
    }
    for token in [&next.access, &session.access] {
        assert!(!world.is_active(token).await?);
        assert_eq!(world.api.mcp(token, "ping", json!({})).await?.status, 401);
        assert_eq!(world.api.sessions(token).await?.status, 401);
    }
    Ok(())
}

#[tokio::test]
async fn v1_a_replaced_refresh_token_revokes_too() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let newest = session.refreshed(&world.api).await?.refreshed(&world.api).await?;
    done(&world.api.revoke(&session.client, &session.refresh, &[]).await?);
    assert!(!world.is_active(&newest.access).await?);
    Ok(())
}

#[tokio::test]
async fn v2_an_access_token_goes_alone() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let next = session.refreshed(&world.api).await?;
    done(&world.api.revoke(&next.client, &next.access, &[]).await?);
    assert!(!world.is_active(&next.access).await?);
    assert_eq!(world.api.mcp(&next.access, "ping", json!({})).await?.status, 401);
    // An older token of the session has another name, and the session goes on.
    assert!(world.is_active(&session.access).await?);
    assert!(world.is_active(&next.refresh).await?);
    assert!(world.is_active(&next.refreshed(&world.api).await?.access).await?);
    Ok(())
}

#[tokio::test]
async fn v2_a_repeated_exchange_does_not_revive_it() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    done(&world.api.revoke(&session.client, &session.access, &[]).await?);
    let again = person.session_of("atoms-web", &session.subject_token, &[]).await?;
    assert_eq!(again.id()?, session.id()?);
    assert!(world.is_active(&again.access).await?);
    assert!(!world.is_active(&session.access).await?);
    Ok(())
}

#[tokio::test]
async fn v2_a_replayed_refresh_does_not_revive_it() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let next = session.refreshed(&world.api).await?;
    done(&world.api.revoke(&next.client, &next.access, &[]).await?);
    let again = session.refreshed(&world.api).await?;
    assert_eq!(again.access, next.access);
    assert!(!world.is_active(&again.access).await?);
    Ok(())
}

#[tokio::test]
async fn v2_cascade_takes_the_session_along() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let cascade = [("cascade", "true")];
    done(&world.api.revoke(&session.client, &session.access, &cascade).await?);
    assert!(!world.is_active(&session.refresh).await?);
    let odd = world.api.revoke(&session.client, &session.access, &[("cascade", "maybe")]).await?;
    assert_eq!((odd.status, odd.error()), (400, "invalid_request"));
    Ok(())
}

#[tokio::test]
async fn v3_what_is_not_in_force_is_as_good_as_revoked() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let authkit = person.sign_in().await?;
    done(&world.api.revoke(&session.client, &session.refresh, &[]).await?);
    let made_up = unique();
    for token in [
        &session.refresh,
        &session.access,
        &authkit.access_token,
        &authkit.refresh_token,
        &made_up,
        &format!("ar1_{made_up}"),
    ] {
        done(&world.api.revoke(&session.client, token, &[]).await?);
    }
    Ok(())
}

#[tokio::test]
async fn v4_a_hint_changes_nothing() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    for hint in ["access_token", "refresh_token", "saml2"] {
        let session = person.session("atoms-web").await?;
        let hint = [("token_type_hint", hint)];
        done(&world.api.revoke(&session.client, &session.access, &hint).await?);
        assert!(!world.is_active(&session.access).await?);
        done(&world.api.revoke(&session.client, &session.refresh, &hint).await?);
        assert!(!world.is_active(&session.refresh).await?);
    }
    Ok(())
}

#[tokio::test]
async fn v5_no_token() -> Result<()> {
    let world = World::attach()?;
    for fields in [&[("client_id", "atoms-web")][..], &[("client_id", "atoms-web"), ("token", "")]]
    {
        let answer = world.api.form(REVOKE, fields).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"));
    }
    Ok(())
}

#[tokio::test]
async fn v6_bad_client_authentication_is_no_success() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-service").await?;
    let wrong = ClientInfo { secret: Some(unique()), ..session.client.clone() };
    let none = ClientInfo { secret: None, ..session.client.clone() };
    let nobody = ClientInfo { id: unique(), secret: None };
    for client in [wrong, none, nobody] {
        let answer = world.api.revoke(&client, &session.refresh, &[]).await?;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"));
    }
    assert!(world.is_active(&session.access).await?);
    Ok(())
}

#[tokio::test]
async fn v7_another_clients_token_survives() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for thief in ["atoms-cli", "atoms-service", "third-party", "atoms-api"] {
        for token in [&session.access, &session.refresh] {
            for extra in [&[][..], &[("cascade", "true")]] {
                let answer = world.api.revoke(world.client(thief)?, token, extra).await?;
                assert_eq!((answer.status, answer.error()), (400, "invalid_grant"), "{thief}");
            }
        }
    }
    assert!(world.is_active(&session.access).await?);
    assert!(world.is_untouched(&session).await?);
    Ok(())
}

#[tokio::test]
async fn v8_a_public_client_by_its_id_and_a_confidential_one_by_its_secret() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    for client in ["atoms-cli", "atoms-service"] {
        let session = person.session(client).await?;
        done(&world.api.revoke(&session.client, &session.refresh, &[]).await?);
        assert!(!world.is_active(&session.access).await?);
    }
    Ok(())
}

#[tokio::test]
async fn v9_an_introspection_answer_cannot_be_revoked() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let api = world.client("atoms-api")?;
    let ask = world.api.request(Method::POST, INTROSPECT).header(ACCEPT, JWT);
    let ask = ask.basic_auth(&api.id, api.secret.as_ref()).form(&[("token", &session.access)]);
    let evidence = world.api.send(ask).await?.expect(200, "introspection")?;
    let answer = world.api.revoke(&session.client, &evidence.text, &[]).await?;
    assert_eq!((answer.status, answer.error()), (400, "unsupported_token_type"));
    assert!(world.is_active(&session.access).await?);
    Ok(())
}

#[tokio::test]
async fn v11_after_the_answer_no_other_function_lets_it_in() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    for cascade in [false, true] {
        let session = person.session("atoms-web").await?;
        let (access, refresh) = (session.access.as_str(), session.refresh.as_str());
        // Each function runs in an isolate of its own, and all have let it in a moment ago.
        world.api.mcp(access, "ping", json!({})).await?.result("ping")?;
        world.api.sessions(access).await?.expect(200, "sessions")?;
        assert!(world.is_active(access).await?);
        let token = if cascade { refresh } else { access };
        done(&world.api.revoke(&session.client, token, &[]).await?);
        assert!(!world.is_active(access).await?);
        assert_eq!(world.api.mcp(access, "ping", json!({})).await?.status, 401);
        assert_eq!(world.api.sessions(access).await?.status, 401);
    }
    Ok(())
}

fn done(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert_eq!(answer.header("cache-control"), "no-store");
}
