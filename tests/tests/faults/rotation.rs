use anyhow::{Context, Result};
use e2e::{Jwt, World};
use oauth::keys::Master;
use stack::{Stack, StackOptions};

/// As `cargo xtask secrets --new` and `--promote` write them.
const BEFORE: &str = "1=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
const WAITING: &str = "verify:2=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI,\
     1=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
const PROMOTED: &str = "2=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI,\
     1=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

#[tokio::test]
async fn a_rotation_of_the_master_secret_loses_no_session() -> Result<()> {
    let masters = Some(Master::parse_ring(BEFORE)?);
    let mut stack = Stack::start(StackOptions { masters, ..StackOptions::default() }).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let (idle, busy) = (person.session("atoms-web").await?, person.session("atoms-cli").await?);
    let revoked = person.session("atoms-web").await?;
    world.api.revoke(&revoked.client, &revoked.refresh, &[]).await?.expect(200, "revoke")?;

    deploy(&mut stack, WAITING).await?;
    let busy_waiting = busy.refreshed(&world.api).await?;
    assert_eq!(kid(&busy_waiting.access)?, kid(&busy.access)?, "it must not mint yet");

    deploy(&mut stack, PROMOTED).await?;
    let again = busy.refreshed(&world.api).await?;
    assert_eq!(again.refresh, busy_waiting.refresh, "a lost answer is given as it was");
    for session in [&idle, &busy_waiting] {
        assert!(world.is_active(&session.access).await?);
        let next = session.refreshed(&world.api).await?;
        assert_ne!(kid(&next.access)?, kid(&session.access)?, "the new key signs");
        assert_eq!(next.id()?, session.id()?);
        assert!(world.is_active(&next.access).await?);
        next.refreshed(&world.api).await?;
    }
    assert!(!world.is_active(&revoked.access).await?);
    let listed = world.api.sessions(&idle.access).await?.expect(200, "list")?;
    assert_eq!(listed.body["sessions"].as_array().map(Vec::len), Some(2));
    Ok(())
}

async fn deploy(stack: &mut Stack, secret: &str) -> Result<()> {
    stack.rotate_keys(&Master::parse_ring(secret)?)?;
    stack.start_functions().await
}

/// Which key signed a token.
fn kid(token: &str) -> Result<String> {
    Ok(Jwt::read(token)?.header["kid"].as_str().context("a token names its key")?.to_owned())
}
