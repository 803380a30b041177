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
async fn many_tokens_are_revoked_at_once() -> Result<()> {
    let world = World::attach()?;
    let (ada, bob) = (world.person().await?, world.person().await?);
    let first = ada.session("atoms-web").await?;
    let second = ada.session("atoms-web").await?;
    let third = bob.session("atoms-web").await?;
    let foreign = bob.session("atoms-cli").await?;
    let bulk = |tokens: serde_json::Value| {
        let body = json!({ "client_id": "atoms-web", "tokens": tokens });
        world.api.send(world.api.request(Method::POST, REVOKE).json(&body))
    };
    let tokens = json!([
        { "token": first.refresh, "reason": "lost" },
        { "token": second.access, "cascade": true, "token_type_hint": "refresh_token" },
        { "token": third.access },
        { "token": foreign.refresh },
        { "token": unique() },
    ]);
    let answer = bulk(tokens).await?.expect(200, "bulk")?;
    let (yes, no) =
        (json!({ "revoked": true }), json!({ "revoked": false, "error": "invalid_grant" }));
    assert_eq!(answer.body, json!({ "results": [yes, yes, yes, no, yes] }));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!world.is_active(&first.access).await? && !world.is_active(&second.refresh).await?);
    assert!(!world.is_active(&third.access).await? && world.is_active(&third.refresh).await?);
    assert!(world.is_active(&foreign.access).await?);
    // A hundred access tokens have room, and no more.
    let many = |count: usize| json!(vec![json!({ "token": third.access }); count]);
    assert_eq!(bulk(many(100)).await?.expect(200, "bulk")?.body["results"][99], yes);
    let answer = bulk(many(101)).await?;
    assert_eq!((answer.status, answer.error()), (400, "invalid_request"));
    // The same as a form, one `tokens` for each.
    let fields = [("client_id", "atoms-web"), ("tokens", &third.refresh), ("tokens", "x")];
    let answer = world.api.form(REVOKE, &fields).await?.expect(200, "bulk")?;
    assert_eq!(answer.body, json!({ "results": [yes, yes] }));
    assert!(!world.is_active(&third.refresh).await?);
    Ok(())
}

#[tokio::test]
async fn v6_many_tokens_need_the_client_too() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-service").await?;
    for extra in [json!({}), json!({ "client_id": "atoms-service" })] {
        let mut body = json!({ "tokens": [{ "token": session.refresh }] });
        body.as_object_mut().into_iter().for_each(|body| {
            body.extend(extra.as_object().cloned().unwrap_or_default());
        });
        let request = world.api.request(Method::POST, REVOKE).json(&body);
        let answer = world.api.send(request).await?;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"));
    }
    assert!(world.is_active(&session.access).await?);
    let body = json!({ "tokens": [{ "token": session.refresh }] });
    let secret = session.client.secret.as_deref();
    let request = world.api.request(Method::POST, REVOKE).basic_auth(&session.client.id, secret);
    world.api.send(request.json(&body)).await?.expect(200, "bulk")?;
    assert!(!world.is_active(&session.access).await?);
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
