//! Dependencies that hang: the first who ask wait, those after them are told at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Answer, World};
use futures::future::join_all;
use stack::{ClientInfo, Platform, Stack, StackOptions};

use crate::{seconds, unavailable};

/// An answer that took longer than this has waited for somebody.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_postgres_that_hangs_is_left_alone_and_found_again() -> Result<()> {
    let stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    // The client's record and the provider's keys are known from here on.
    person.session("atoms-web").await?;
    let authkit = person.sign_in().await?.access_token;
    stack.pause_proxy(true);
    is_left_alone(&world, &authkit).await?;
    stack.pause_proxy(false);
    is_found_again(&world, &authkit).await
}

#[tokio::test]
async fn a_workos_that_hangs_is_left_alone_and_found_again() -> Result<()> {
    let stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    // Its keys have never been fetched.
    let authkit = world.person().await?.sign_in().await?.access_token;
    stack.pause_workos(true);
    is_left_alone(&world, &authkit).await?;
    stack.pause_workos(false);
    is_found_again(&world, &authkit).await
}

async fn is_left_alone(world: &World, authkit: &str) -> Result<()> {
    let client = world.client("atoms-web")?;
    for (answer, waited) in join_all((0..4).map(|_| timed(world, client, authkit))).await {
        unavailable(&answer?);
        ensure!(waited > AT_ONCE, "nobody was asked: {waited:?}");
    }
    let later = join_all((0..8).map(|_| timed(world, client, authkit))).await;
    let waiting = later.iter().filter(|(_, waited)| *waited > AT_ONCE).count();
    // Instances learn for themselves, and Spin keeps one for a second of idleness only.
    let may = if world.info.platform == Platform::Spin { 8 } else { 1 };
    ensure!(waiting <= may, "{waiting} of 8 waited: one may, to see whether it is back");
    for (answer, _) in later {
        let answer = answer?;
        unavailable(&answer);
        ensure!(wait_of(&answer) <= 30.0, "Retry-After: {}", answer.header("retry-after"));
    }
    Ok(())
}

/// A client that does as it is told gets through.
async fn is_found_again(world: &World, authkit: &str) -> Result<()> {
    let client = world.client("atoms-web")?;
    let since = Instant::now();
    loop {
        let answer = world.api.exchange(client, authkit, &[]).await?;
        if answer.status == 200 {
            return Ok(());
        }
        unavailable(&answer);
        ensure!(since.elapsed() < Duration::from_secs(60), "still away");
        seconds(wait_of(&answer)).await;
    }
}

async fn timed(world: &World, client: &ClientInfo, authkit: &str) -> (Result<Answer>, Duration) {
    let since = Instant::now();
    let answer = world.api.exchange(client, authkit, &[]).await;
    (answer, since.elapsed())
}

fn wait_of(answer: &Answer) -> f64 {
    answer.header("retry-after").parse().unwrap_or(f64::MAX)
}
