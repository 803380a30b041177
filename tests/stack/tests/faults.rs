//! Parts of a stack stop and start again where they were. Needs the functions and the proxy built.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a native test")]

use std::time::{Duration, Instant};

use stack::{Stack, StackOptions};

async fn readiness(stack: &Stack) -> (u16, String) {
    let url = format!("{}/health/ready", stack.info().base_url);
    let answer = reqwest::get(url).await.unwrap();
    let status = answer.status().as_u16();
    let body: serde_json::Value = answer.json().await.unwrap();
    (status, body["status"].as_str().unwrap_or_default().to_owned())
}

async fn becomes(stack: &Stack, wanted: &str) {
    let since = Instant::now();
    loop {
        let (status, state) = readiness(stack).await;
        if (status, state.as_str()) == (200, wanted) {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{status} {state}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn parts_go_away_and_come_back() {
    let mut stack = Stack::start(StackOptions::default()).await.unwrap();
    becomes(&stack, "healthy").await;
    stack.stop_proxy();
    becomes(&stack, "degraded").await;
    stack.start_proxy().await.unwrap();
    becomes(&stack, "healthy").await;
    stack.stop_workos();
    becomes(&stack, "degraded").await;
    stack.start_workos().await.unwrap();
    becomes(&stack, "healthy").await;
    stack.pause_proxy(true);
    becomes(&stack, "degraded").await;
    stack.pause_proxy(false);
    stack.kill_functions();
    assert!(reqwest::get(&stack.info().base_url).await.is_err());
    stack.start_functions().await.unwrap();
    becomes(&stack, "healthy").await;
    stack.check().unwrap();
    let description = stack.info().save().unwrap();
    let attached = stack::StackInfo::attach(&description).unwrap();
    assert_eq!(attached.base_url, stack.info().base_url);
    assert!(attached.client("atoms-api").unwrap().secret.is_some());
    assert!(!attached.logs().is_empty());
}
