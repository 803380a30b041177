//! How long an instance lives, and what dies with it.

use std::sync::Arc;
use std::time::Duration;

use crate::host::Setting;

const ONE: &str = r#"
    [[trigger.http]]
    route = "/..."
    component = "one"
    [component.one]
    source = "FIXTURE"
    key_value_stores = ["default"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_128_requests_and_waits_a_second() {
    let setting = Setting::new(ONE);
    let host = setting.start();
    for expected in (1..=128).chain(1..=2) {
        assert_eq!(host.ask("/seen", "").await, format!("ok:{expected}"));
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(host.ask("/seen", "").await, "ok:1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_16_requests_at_a_time() {
    let setting = Setting::new(ONE);
    let host = Arc::new(setting.start());
    let asked = (0..40).map(|_| {
        let host = Arc::clone(&host);
        tokio::spawn(async move { host.ask("/slow?1000", "").await })
    });
    let mut most = 0;
    for answer in asked.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        most = most.max(answer.strip_prefix("ok:").unwrap().parse::<u32>().unwrap());
    }
    assert!((2..=16).contains(&most), "{most} requests at a time in one instance");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_takes_its_neighbours_and_nothing_else() {
    let setting = Setting::new(ONE);
    let host = Arc::new(setting.start());
    host.ask("/kv-set?default/kept", "value").await;
    let neighbour = {
        let host = Arc::clone(&host);
        tokio::spawn(async move { host.answer("/slow?2000", "").await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(host.answer("/panic", "").await, (500, String::new()));
    assert_eq!(neighbour.await.unwrap(), (500, String::new()));
    assert_eq!(host.ask("/seen", "").await, "ok:1");
    assert_eq!(host.ask("/kv-get?default/kept", "").await, "ok:value");
    let log = setting.text("logs/one_stderr.txt");
    assert!(log.contains("as asked"), "the panic's message is lost: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_the_response() {
    let setting = Setting::new(ONE);
    let host = setting.start();
    assert_eq!(host.ask("/after?done", "").await, "ok:answered");
    assert_eq!(host.ask("/kv-get?default/after", "").await, "ok:none");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(host.ask("/kv-get?default/after", "").await, "ok:done");
}
