//! AuthKit grants over time: who renews them, and what happens when WorkOS is away or has forgotten
//! them. The emulator's access tokens live an hour and are to be renewed an hour before they expire,
//! so a grant is due as soon as it has rested.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use e2e::client::{REFRESH_TOKEN_TYPE, TOKEN, TOKEN_EXCHANGE, WORKOS_WEBHOOK};
use e2e::{Answer, Person, World};
use futures::future::try_join_all;
use stack::{Stack, StackOptions};

use crate::seconds;

/// A grant that was just renewed is left alone for this long.
const REST: f64 = 10.5;

#[tokio::test]
async fn f16_a_grant_that_workos_has_ended_ends_its_session_and_an_outage_does_not() -> Result<()> {
    let settings = [("UPSTREAM_REFRESH_AHEAD_SECONDS", "3600"), ("WORKOS_WEBHOOK_SECRET", "")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
    let world = World::of(stack.info())?;
    let no_webhook = world.api.form(WORKOS_WEBHOOK, &[]).await?;
    assert_eq!(no_webhook.status, 404, "without a secret there is no webhook");

    let [ada, bob, eve] = [world.person().await?, world.person().await?, world.person().await?];
    let session = granted(&world, &ada).await?;
    let (outlived, ended) = (granted(&world, &bob).await?, granted(&world, &eve).await?);
    seconds(REST).await;
    one_renews(&world, &ada, &session).await?;

    stack.pause_workos(true);
    let outlived = refreshed_in_time(&world, &outlived).await?;
    stack.pause_workos(false);
    stack.stop_workos();
    let outlived = refreshed_in_time(&world, &outlived).await?;
    assert_eq!(outlived.shown(&world).await?, "active", "perhaps nothing is lost");

    // It has forgotten all grants.
    stack.start_workos().await?;
    let outlived = until(&world, outlived, "sign_in_required").await?;
    assert!(world.is_active(&outlived.access).await?);
    refreshed_in_time(&world, &outlived).await?;

    // Of this one no answer was ever lost, so the word of WorkOS counts.
    dies(&world, ended).await
}

/// The tokens of a session with a grant.
#[derive(Clone)]
struct Granted {
    access: String,
    refresh: String,
}

impl Granted {
    fn of(answer: &Answer) -> Self {
        let text = |name| answer.member(name).to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }

    /// What the person sees of the grant.
    async fn shown(&self, world: &World) -> Result<String> {
        let listed = world.api.sessions(&self.access).await?.expect(200, "sessions")?;
        Ok(listed.body["sessions"][0]["upstream"].as_str().unwrap_or_default().to_owned())
    }
}

async fn granted(world: &World, person: &Person) -> Result<Granted> {
    let authkit = person.sign_in().await?;
    let fields = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", authkit.refresh_token.as_str()),
        ("subject_token_type", REFRESH_TOKEN_TYPE),
    ];
    let answer = world.api.form_as(TOKEN, world.client("atoms-service")?, &fields).await?;
    let answer = answer.expect(200, "the hand-over of a grant")?;
    Ok(Granted::of(&answer))
}

async fn refreshed(world: &World, session: &Granted) -> Result<Granted> {
    let client = world.client("atoms-service")?;
    let answer = world.api.refresh(client, &session.refresh, &[]).await?.expect(200, "refresh")?;
    Ok(Granted::of(&answer))
}

/// Of 20 parallel refreshes one renews the grant, and all get the same tokens.
async fn one_renews(world: &World, person: &Person, session: &Granted) -> Result<()> {
    let before = world.workos.sign_ins(&person.user.id).await?;
    let all = try_join_all((0..20).map(|_| refreshed(world, session))).await?;
    assert!(all.iter().all(|one| one.refresh == all[0].refresh), "the refresh tokens differ");
    assert!(all.iter().all(|one| one.access == all[0].access), "the access tokens differ");
    assert_eq!(world.workos.sign_ins(&person.user.id).await?, before + 1);
    refreshed(world, &all[0]).await?;
    Ok(())
}

async fn refreshed_in_time(world: &World, session: &Granted) -> Result<Granted> {
    let since = Instant::now();
    let session = refreshed(world, session).await?;
    let took = since.elapsed();
    assert!(took < Duration::from_secs(5), "WorkOS held a refresh up for {took:?}");
    Ok(session)
}

/// Refreshes until the grant looks like that: a failure is not repeated at once.
async fn until(world: &World, mut session: Granted, expected: &str) -> Result<Granted> {
    for _ in 0..60 {
        session = refreshed(world, &session).await?;
        if session.shown(world).await? == expected {
            return Ok(session);
        }
        seconds(0.5).await;
    }
    bail!("the grant is still {}", session.shown(world).await?)
}

async fn dies(world: &World, mut session: Granted) -> Result<()> {
    let client = world.client("atoms-service")?;
    for _ in 0..60 {
        let answer = world.api.refresh(client, &session.refresh, &[]).await?;
        if answer.status == 400 {
            assert_eq!(answer.error(), "invalid_grant");
            assert!(!world.is_active(&session.access).await?);
            assert!(!world.is_active(&session.refresh).await?);
            return Ok(());
        }
        // A breaker may still be open from the outage.
        session = Granted::of(&answer.expect(200, "refresh")?);
        seconds(0.5).await;
    }
    bail!("the session outlives its grant")
}
