use anyhow::Result;
use e2e::World;
use serde_json::json;

#[tokio::test]
async fn liveness_touches_nothing() -> Result<()> {
    let world = World::attach()?;
    let answer = world.api.get("/health/live").await?.expect(200, "live")?;
    assert_eq!(answer.body, json!({ "status": "healthy" }));
    assert_eq!(answer.header("cache-control"), "no-store");
    Ok(())
}

#[tokio::test]
async fn every_dependency_is_reported() -> Result<()> {
    let world = World::attach()?;
    for path in ["/health", "/health/ready"] {
        let answer = world.api.get(path).await?.expect(200, path)?;
        assert_eq!(answer.body["status"], "healthy", "{}", answer.text);
        for (name, critical) in
            [("ledger", true), ("kv", true), ("postgres", false), ("workos", false)]
        {
            let check = &answer.body["checks"][name];
            assert_eq!(check["status"], "healthy", "{name}");
            assert_eq!(check["critical"], json!(critical), "{name}");
            assert!(check["duration_ms"].is_u64(), "{name}");
        }
        assert_eq!(answer.body["checks"].as_object().map(serde_json::Map::len), Some(4));
    }
    Ok(())
}
