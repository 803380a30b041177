//! Subject tokens that are not in force. Expired ones and those of another client need a provider
//! whose key we have: see the fault suite.

use anyhow::Result;
use e2e::world::unique;
use e2e::{Jwt, World};
use serde_json::{Value, json};

#[tokio::test]
async fn forged_tokens_are_refused() -> Result<()> {
    let forge = |change: fn(&mut Jwt)| {
        move |token: &Jwt| -> String {
            let mut forged = token.clone();
            change(&mut forged);
            forged.text()
        }
    };
    let forgeries = [
        forge(|token| token.claims["sub"] = json!("user_somebody_else")),
        forge(|token| token.claims["exp"] = json!(4_000_000_000_u64)),
        forge(|token| token.claims["iss"] = json!("https://elsewhere.example")),
        forge(|token| token.claims["aud"] = json!("client_other")),
        forge(|token| token.header["kid"] = json!("unknown")),
        forge(|token| token.header["kid"] = Value::Null),
        forge(|token| token.header["alg"] = json!("none")),
        forge(|token| token.header["alg"] = json!("HS256")),
        forge(|token| token.header["alg"] = json!("RS512")),
        forge(|token| {
            token.header["alg"] = json!("none");
            token.signature.clear();
        }),
        forge(|token| token.signature.truncate(20)),
        forge(|token| token.claims = json!([])),
    ];
    let world = World::attach()?;
    let person = world.person().await?;
    let authkit = Jwt::read(&person.sign_in().await?.access_token)?;
    for (number, forgery) in forgeries.iter().enumerate() {
        let token = forgery(&authkit);
        let answer = world.api.exchange(world.client("atoms-web")?, &token, &[]).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "forgery {number}");
    }
    Ok(())
}

#[tokio::test]
async fn other_texts_are_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let authkit = person.sign_in().await?;
    let good = authkit.access_token.as_str();
    let (long, dots) = ("x".repeat(40_000), ".".repeat(1000));
    let half = &good[..good.len() / 2];
    let padded = format!("{good}=");
    let four_parts = format!("{good}.x");
    for token in [
        unique().as_str(),
        &long,
        &dots,
        half,
        &padded,
        &four_parts,
        "ключ",
        "\u{0}",
        "..",
        &authkit.refresh_token,
        // Ours are no tokens of the provider.
        &session.access,
        &session.refresh,
    ] {
        let answer = world.api.exchange(&session.client, token, &[]).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "{token:.60}");
    }
    world.api.exchange(&session.client, good, &[]).await?.expect(200, "the good token")?;
    Ok(())
}
