use anyhow::{Result, bail};
use e2e::World;
use ports::route::{Function, HEALTH_LIVE, ROUTES};
use reqwest::Method;
use stack::{Stack, StackInfo, StackOptions};

/// Must never be seen in the log.
const CANARY: &str = "canary-value-of-a-setting";

#[tokio::test]
async fn what_is_misconfigured_answers_503_and_says_why_in_the_log() -> Result<()> {
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    // A secret, a var, a number, a choice, each in another function; one is missing.
    let broken = [
        (Function::Authorize, "PUBLIC_KEYS", Some(CANARY)),
        (Function::Token, "REFRESH_MAC_KEYS", Some(CANARY)),
        (Function::Revoke, "CLIENT_SECRET_KEY", Some(CANARY)),
        (Function::Introspect, "LEDGER_ADDRESS_KEY", None),
        (Function::Sessions, "SESSION_ON_LIMIT", Some(CANARY)),
        (Function::Mcp, "REFRESH_GRACE_SECONDS", Some(CANARY)),
        (Function::Health, "SQL_URL", Some(CANARY)),
        (Function::Ledger, "OPERATOR_KEY_HASHES", Some(CANARY)),
    ];
    stack.kill_functions();
    for (function, setting, value) in broken {
        stack.set(function.name(), setting, value)?;
    }
    stack.start_functions().await?;
    every_route_is_down(&world).await?;
    let log = wait_for(stack.info(), &broken.map(|(_, setting, _)| setting)).await?;
    assert!(!log.contains(CANARY), "the log has a value in it");
    Ok(())
}

#[tokio::test]
async fn without_a_public_url_nothing_is_served() -> Result<()> {
    let mut stack = Stack::start(StackOptions::default()).await?;
    let world = World::of(stack.info())?;
    stack.kill_functions();
    for function in Function::ALL {
        stack.set(function.name(), "PUBLIC_URL", Some(CANARY))?;
    }
    stack.start_functions().await?;
    every_route_is_down(&world).await?;
    let log = wait_for(stack.info(), &["PUBLIC_URL"]).await?;
    assert!(!log.contains(CANARY), "the log has a value in it");
    Ok(())
}

async fn every_route_is_down(world: &World) -> Result<()> {
    for route in ROUTES {
        let path = route.path.replace("{id}", "x");
        let method: &Method = &route.methods[0];
        let answer = world.api.send(world.api.request(method.clone(), &path)).await?;
        if path == HEALTH_LIVE {
            assert_eq!(answer.status, 200, "{path}");
            continue;
        }
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert!(!answer.header("retry-after").is_empty(), "{path}");
        assert!(!answer.text.contains(CANARY), "{path}");
    }
    Ok(())
}

/// The log once all the texts are in it: it is written behind the answers.
pub(crate) async fn wait_for(info: &StackInfo, texts: &[&str]) -> Result<String> {
    for _ in 0..50 {
        // The first lines are wrangler's, which lists the names of all vars.
        let ours = |line: &&str| line.contains("\"misconfigured\"");
        let log: String = info.logs().lines().filter(ours).collect();
        if texts.iter().all(|text| log.contains(text)) {
            return Ok(log);
        }
        crate::seconds(0.1).await;
    }
    bail!("not all of {texts:?} are in the log")
}
