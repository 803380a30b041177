//! A quick measurement, not a test: `cargo test --release -p proxy --test throughput -- --ignored --nocapture`.

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Postgres, Proxy};
use tokio::time::Instant;

const CLIENTS: usize = 16;
const SECONDS: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn batches_per_second() {
    let postgres = Postgres::start("scram-sha-256");
    let proxy = Proxy::start(&postgres.url(), |settings| settings.pool_size = CLIENTS).await;
    let single = json!({"query": "select 1"});
    let batch = json!({"queries": [
        {"query": "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
            "params": ["{\"sub\":\"u\"}"]},
        {"query": "select $1::int n, current_user::text u", "params": [7]}]});
    for (name, body) in [("single statement", single), ("batch of two", batch)] {
        let end = Instant::now() + Duration::from_secs(SECONDS);
        let loops = (0..CLIENTS).map(|_| async {
            let mut done = 0_u64;
            while Instant::now() < end {
                let response = proxy.send(&body).await;
                assert_eq!(response.status(), 200);
                response.bytes().await.unwrap();
                done += 1;
            }
            done
        });
        let done: u64 = futures::future::join_all(loops).await.into_iter().sum();
        println!("{name}: {} per second, {CLIENTS} clients", done / SECONDS);
    }
}
