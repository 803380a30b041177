use anyhow::{Result, bail};
use e2e::client::{MCP, REFRESH};
use e2e::{Api, World};
use reqwest::Method;
use serde_json::Value;
use stack::settings::{Kind, SETTINGS};
use stack::{Stack, StackInfo, StackOptions};

const CANARY: &str = "canary-of-a-request";

#[tokio::test]
async fn each_request_is_one_line_and_no_secret_is_in_it() -> Result<()> {
    let stack = Stack::start(StackOptions::default()).await?;
    let mut world = World::of(stack.info())?;
    world.api = Api::new(&stack.info().base_url, CANARY)?;
    let api = &world.api;
    let person = world.person().await?;
    let authkit = person.sign_in().await?;
    let session = person.session_of("atoms-service", &authkit.access_token, &[]).await?;
    let next = session.refreshed(api).await?;
    let arguments = serde_json::json!({ "operation": "create_workspace", "name": CANARY });
    let service = world.client("atoms-service")?;
    let query = format!("{MCP}?access_token={CANARY}");
    let path = format!("/auth/sessions/{CANARY}");
    let answers = [
        session.answer.clone(),
        next.answer.clone(),
        api.introspect(world.client("atoms-api")?, &next.access, &[]).await?,
        api.workspace(&next.access, arguments).await?,
        api.mcp(CANARY, CANARY, Value::Null).await?,
        api.sessions(&next.access).await?,
        api.send(api.request(Method::DELETE, &path).bearer_auth(&next.access)).await?,
        api.send(api.request(Method::POST, &query).body(CANARY)).await?,
        api.send(api.request(Method::GET, "/health").header("traceparent", CANARY)).await?,
        api.form(REFRESH, &[("client_id", CANARY), ("refresh_token", CANARY)]).await?,
        api.refresh(service, CANARY, &[("scope", CANARY), ("resource", CANARY)]).await?,
        api.exchange(service, CANARY, &[]).await?,
        api.revoke(service, &next.refresh, &[("token_type_hint", CANARY)]).await?,
    ];
    let last = answers.last().map_or("", |last| last.header("x-request-id"));
    let log = wait_for(stack.info(), last).await?;
    // Whoever runs the functions may put their name in front of what they print.
    let own = log.lines().filter_map(|line| line.get(line.find('{')?..));
    let lines: Vec<Value> = own.filter_map(|line| serde_json::from_str(line).ok()).collect();
    for answer in &answers {
        let id = answer.header("x-request-id");
        let found: Vec<_> = lines.iter().filter(|line| line["request_id"] == id).collect();
        let [line] = found.as_slice() else { panic!("{} lines for {}", found.len(), answer.text) };
        assert_eq!(line["http.response.status_code"], answer.status);
        for name in
            ["timestamp", "severity", "service.name", "http.route", "trace_id", "duration_ms"]
        {
            assert!(!line[name].is_null(), "{name}");
        }
    }
    let mut secrets: Vec<&str> = vec![
        CANARY,
        &person.user.email,
        &person.user.id,
        &authkit.access_token,
        &authkit.refresh_token,
        &session.access,
        &session.refresh,
        &next.access,
        &next.refresh,
    ];
    secrets.extend(stack.info().clients.values().filter_map(|client| client.secret.as_deref()));
    for setting in SETTINGS.iter().filter(|setting| setting.kind == Kind::Secret) {
        // An optional one may not be there.
        let Some(value) = stack.info().settings.get(setting.name) else { continue };
        // The keys of a ring and the members of a key set count one by one.
        secrets.extend(value.split(['=', '"', ':', '@', ',']).filter(|part| part.len() > 20));
    }
    assert!(secrets.len() > 15);
    for secret in secrets {
        assert!(!log.contains(secret), "{secret:.12}… is in the log");
    }
    Ok(())
}

/// The log once a request is in it, as lines are written behind the answers, but for wrangler's own
/// access log.
async fn wait_for(info: &StackInfo, request_id: &str) -> Result<String> {
    for _ in 0..50 {
        let log = info.logs();
        if log.contains(request_id) {
            let access = |line: &&str| line.starts_with("[wrangler:");
            return Ok(log.lines().filter(|line| !access(line)).collect::<Vec<_>>().join("\n"));
        }
        crate::seconds(0.1).await;
    }
    bail!("the request {request_id} is not in the log")
}
