//! AuthKit tokens with good signatures that are not for us, or not now.

use anyhow::Result;
use e2e::world::unique;
use serde_json::{Value, json};

use crate::provider::{CLIENT, Key, claims, now};
use crate::seconds;
use crate::short::{OFFLINE, Short};

#[tokio::test]
async fn tokens_that_are_not_in_force_for_us_are_refused() -> Result<()> {
    let short = Short::get().await?;
    let (user, now) = (format!("user_{}", unique()), now());
    for others in [
        json!({ "exp": now - 120, "iat": now - 3720 }),
        json!({ "exp": null }),
        json!({ "iat": now + 3600, "exp": now + 7200 }),
        json!({ "iat": null }),
        json!({ "aud": "client_other" }),
        json!({ "aud": "client_other", "client_id": "client_other" }),
        json!({ "aud": ["client_other"] }),
        json!({ "aud": null }),
        json!({ "iss": "https://elsewhere.example" }),
        json!({ "iss": null }),
        json!({ "sid": null }),
        json!({ "sid": "" }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
        json!({ "exp": "tomorrow" }),
    ] {
        let token = short.provider.token(&user, &unique(), &others)?;
        refused(short, &token, &others).await?;
    }
    Ok(())
}

#[tokio::test]
async fn tokens_by_other_keys_are_refused() -> Result<()> {
    let short = Short::get().await?;
    let good = claims("user_victim", &unique(), &json!({}));
    for kid in ["first", "unknown"] {
        let token = Key::new(kid)?.sign(&good)?;
        refused(short, &token, &json!(kid)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_way_to_name_us_will_do() -> Result<()> {
    let short = Short::get().await?;
    for others in [
        json!({ "aud": [CLIENT, "client_other"] }),
        json!({ "aud": null, "client_id": CLIENT }),
        // Clocks differ.
        json!({ "iat": now() + 20 }),
    ] {
        let user = format!("user_{}", unique());
        let session = short.session_of(&user, OFFLINE, &others).await?;
        assert_eq!(session.claims()?["sub"], json!(user));
    }
    Ok(())
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_found() -> Result<()> {
    let short = Short::get().await?;
    // So that the keys are known without it.
    short.session(OFFLINE).await?;
    let key = Key::new("second")?;
    short.provider.publish(&key);
    // Made-up keys must not have us ask the provider all the time.
    seconds(5.5).await;
    let token = key.sign(&claims(&format!("user_{}", unique()), &unique(), &json!({})))?;
    short.world.session_of("atoms-web", &token, OFFLINE).await?;
    Ok(())
}

async fn refused(short: &Short, token: &str, what: &Value) -> Result<()> {
    let client = short.world.client("atoms-web")?;
    let answer = short.world.api.exchange(client, token, OFFLINE).await?;
    assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "{what}");
    Ok(())
}
