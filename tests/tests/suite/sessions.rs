use anyhow::Result;
use e2e::client::{AUDIT, REVOKE_ALL, SESSIONS};
use e2e::world::{BROWSER_LABEL, unique};
use e2e::{Answer, Api, Jwt, World};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_person_sees_their_sessions() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let web = person.session("atoms-web").await?;
    let cli = person.session_with("atoms-cli", &[("scope", "sessions:read")]).await?;
    let answer = world.api.sessions(&web.access).await?.expect(200, "sessions")?;
    assert_eq!(answer.header("cache-control"), "no-store");
    let listed = answer.body["sessions"].as_array().cloned().unwrap_or_default();
    assert_eq!(listed.len(), 2);
    let of = |id: &str| listed.iter().find(|entry| entry["id"] == id).cloned().unwrap_or_default();
    let (mine, other) = (of(&web.id()?), of(&cli.id()?));
    assert_eq!((&mine["current"], &other["current"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&mine["client_id"], &other["client_id"]),
        (&json!("atoms-web"), &json!("atoms-cli"))
    );
    assert_eq!(mine["device"], json!({ "label": BROWSER_LABEL }));
    assert_eq!(other["scope"], "sessions:read");
    let time = |name: &str| mine[name].as_u64().unwrap_or_default();
    assert!(time("created_at") > 1_700_000_000 && time("created_at") < 10_000_000_000);
    assert!(time("last_seen_at") >= time("created_at"));
    assert_eq!(time("idle_expires_at"), time("last_seen_at") + 1800);
    assert_eq!(time("expires_at"), time("created_at") + 86_400);
    assert_eq!(mine["risk"], json!({ "score": 0.0, "reasons": [] }));
    assert_eq!(mine["refreshes"], json!([]));
    let web = web.refreshed(&world.api).await?;
    let again = world.api.sessions(&web.access).await?.expect(200, "sessions")?.body;
    let refreshes = &again["sessions"][0]["refreshes"];
    assert_eq!(refreshes[0]["repeated"], false);
    assert!(refreshes[0]["at"].as_u64() >= Some(time("created_at")));
    assert!(!answer.text.contains("ar1_") && !answer.text.contains(&person.user.email));
    Ok(())
}

#[tokio::test]
async fn devices_are_labelled_for_people() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let client = world.client("atoms-web")?;
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    for (agent, label) in [
        (firefox, "Firefox on Linux"),
        ("curl/8.7.1", "curl"),
        ("<script>alert(1)</script>", "<script>alert"),
        ("", "Unknown device"),
    ] {
        let api = Api::new(&world.info.base_url, agent)?;
        let authkit = person.sign_in().await?;
        let answer = api.exchange(client, &authkit.access_token, &[]).await?;
        let token = answer.expect(200, "exchange")?.member("access_token").to_owned();
        let listed = api.sessions(&token).await?.expect(200, "sessions")?.body;
        let current = listed["sessions"].as_array().into_iter().flatten();
        let current = current.into_iter().find(|entry| entry["current"] == true);
        assert_eq!(current.map(|entry| &entry["device"]["label"]), Some(&json!(label)));
    }
    Ok(())
}

#[tokio::test]
async fn a_person_ends_one_session() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let here = person.session("atoms-web").await?;
    let there = person.session("atoms-cli").await?;
    let ended = world.api.end_session(&here.access, &there.id()?).await?.expect(204, "delete")?;
    assert_eq!(ended.text, "");
    assert!(!world.is_active(&there.access).await?);
    let answer = world.api.refresh(&there.client, &there.refresh, &[]).await?;
    assert_eq!((answer.status, answer.error()), (400, "invalid_grant"));
    assert_eq!(count(&world.api.sessions(&here.access).await?), 1);
    // Somebody whose answer was lost tries again.
    world.api.end_session(&here.access, &there.id()?).await?.expect(204, "delete")?;
    for id in [unique().as_str(), "x", "%00", "é"] {
        let answer = world.api.end_session(&here.access, id).await?;
        problem(&answer, 404, "session_not_found");
    }
    // One's own may be ended, too; its token is then worth nothing.
    world.api.end_session(&here.access, &here.id()?).await?.expect(204, "delete")?;
    problem(&world.api.sessions(&here.access).await?, 401, "invalid_token");
    Ok(())
}

#[tokio::test]
async fn a_person_ends_all_sessions() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let here = person.session("atoms-web").await?;
    let there = [person.session("atoms-cli").await?, person.session("atoms-service").await?];
    let but_this = json!({ "except_current": true });
    let answer =
        world.api.end_all(&here.access, Some(but_this)).await?.expect(200, "revoke-all")?;
    assert_eq!(answer.body, json!({ "revoked": 2 }));
    for session in &there {
        assert!(!world.is_active(&session.access).await?);
    }
    assert!(world.is_active(&here.access).await?);
    person.session("atoms-cli").await?;
    let answer = world.api.end_all(&here.access, None).await?.expect(200, "revoke-all")?;
    assert_eq!(answer.body, json!({ "revoked": 2 }));
    problem(&world.api.end_all(&here.access, None).await?, 401, "invalid_token");
    Ok(())
}

#[tokio::test]
async fn a_bad_body_ends_nothing() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for body in
        ["{", "[]", "[true]", "{\"except_current\":\"yes\"}", "{\"except\":true}", "null", "1"]
    {
        let request = world.api.request(Method::POST, REVOKE_ALL).bearer_auth(&session.access);
        let request = request.header("content-type", "application/json").body(body);
        let answer = world.api.send(request).await?;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert!(world.is_active(&session.access).await?);
    Ok(())
}

#[tokio::test]
async fn nobody_sees_or_ends_anothers_sessions() -> Result<()> {
    let world = World::attach()?;
    let (ada, bob) = (world.person().await?, world.person().await?);
    let hers = ada.session("atoms-web").await?;
    let his = bob.session("atoms-web").await?;
    assert_eq!(count(&world.api.sessions(&his.access).await?), 1);
    let answer = world.api.end_session(&his.access, &hers.id()?).await?;
    problem(&answer, 404, "session_not_found");
    world.api.end_all(&his.access, None).await?.expect(200, "revoke-all")?;
    assert!(world.is_active(&hers.access).await?);
    Ok(())
}

#[tokio::test]
async fn without_a_token_there_is_a_challenge_without_an_error() -> Result<()> {
    let world = World::attach()?;
    let metadata = format!("{}/.well-known/oauth-protected-resource", world.issuer());
    for (method, path) in routes() {
        let answer = world.api.send(world.api.request(method, &path)).await?;
        assert_eq!(answer.status, 401);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
        assert!(!challenge.contains("error"), "{challenge}");
    }
    Ok(())
}

#[tokio::test]
async fn with_a_token_that_is_not_in_force_there_is_a_challenge() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let mcp = world.mcp();
    let elsewhere = person.session_with("atoms-web", &[("resource", &mcp)]).await?;
    let authkit = person.sign_in().await?;
    let mut forged = Jwt::read(&session.access)?;
    forged.claims["sub"] = json!("user_other");
    let forged = forged.text();
    for token in [&elsewhere.access, &session.refresh, &authkit.access_token, &forged, "x"] {
        for (method, path) in routes() {
            let request = world.api.request(method, &path).bearer_auth(token);
            let answer = world.api.send(request).await?;
            problem(&answer, 401, "invalid_token");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_request_needs_its_scope() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let reader = person.session_with("atoms-web", &[("scope", "sessions:read")]).await?;
    let writer = person.session_with("atoms-web", &[("scope", "sessions:write")]).await?;
    let lacks = |answer: &Answer, scope: &str| {
        problem(answer, 403, "insufficient_scope");
        let challenge = answer.header("www-authenticate").to_owned();
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{challenge}");
    };
    world.api.sessions(&reader.access).await?.expect(200, "sessions")?;
    lacks(&world.api.sessions(&writer.access).await?, "sessions:read");
    lacks(&world.api.end_session(&reader.access, &writer.id()?).await?, "sessions:write");
    lacks(&world.api.end_all(&reader.access, None).await?, "sessions:write");
    world.api.end_session(&writer.access, &reader.id()?).await?.expect(204, "delete")?;
    Ok(())
}

#[tokio::test]
async fn the_eleventh_session_takes_the_place_of_the_longest_idle() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let mut sessions = Vec::new();
    for _ in 0..10 {
        sessions.push(person.session("atoms-web").await?);
    }
    // The first is used, so the second is now the longest idle.
    sessions[0] = sessions[0].refreshed(&world.api).await?;
    let newest = person.session("atoms-web").await?;
    assert_eq!(count(&world.api.sessions(&newest.access).await?), 10);
    assert!(!world.is_active(&sessions[1].access).await?);
    assert!(world.is_active(&sessions[0].access).await?);
    assert!(world.is_active(&sessions[2].access).await?);
    Ok(())
}

fn routes() -> [(Method, String); 4] {
    [
        (Method::GET, AUDIT.to_owned()),
        (Method::GET, SESSIONS.to_owned()),
        (Method::DELETE, format!("{SESSIONS}/x")),
        (Method::POST, REVOKE_ALL.to_owned()),
    ]
}

fn count(answer: &Answer) -> usize {
    answer.body["sessions"].as_array().map_or(0, Vec::len)
}

fn problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.member("code")), (status, code), "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body["status"], json!(status));
    assert!(matches!(answer.body["title"], Value::String(_)));
}

#[tokio::test]
async fn a_session_is_extended_by_its_own_tokens() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let here = person.session("atoms-web").await?;
    let there = person.session("atoms-web").await?;
    let answer = world.api.extend(&here.access, &here.id()?).await?.expect(200, "extend")?;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("ratelimit").starts_with("\"refresh\";r="), "{:?}", answer.headers);
    let extended = here.then(answer)?;
    assert_eq!(extended.id()?, here.id()?);
    assert_ne!(extended.refresh, here.refresh);
    assert_eq!(here.refreshed(&world.api).await?.refresh, extended.refresh, "they converge");
    extended.refreshed(&world.api).await?;
    problem(&world.api.extend(&here.access, &there.id()?).await?, 403, "not_own_session");
    problem(&world.api.extend(&here.access, "x").await?, 404, "session_not_found");
    problem(&world.api.extend("", &here.id()?).await?, 401, "invalid_token");
    let reader = person.session_with("atoms-web", &[("scope", "sessions:read")]).await?;
    problem(&world.api.extend(&reader.access, &reader.id()?).await?, 403, "insufficient_scope");
    assert!(world.is_untouched(&there).await?);
    Ok(())
}

#[tokio::test]
async fn nobody_but_an_operator_names_another_person() -> Result<()> {
    let world = World::attach()?;
    let (ada, bob) = (world.person().await?, world.person().await?);
    let (hers, his) = (ada.session("atoms-web").await?, bob.session("atoms-web").await?);
    let user = [("user", bob.user.id.as_str())];
    let api = &world.api;
    let request = |method, path: &str| api.request(method, path).bearer_auth(&hers.access);
    let one = format!("{SESSIONS}/{}", his.id()?);
    for request in [
        request(Method::GET, SESSIONS).query(&user),
        request(Method::DELETE, &one).query(&user),
        request(Method::POST, REVOKE_ALL).query(&user),
        request(Method::POST, REVOKE_ALL).json(&json!({ "user": bob.user.id })),
    ] {
        problem(&api.send(request).await?, 403, "operator_only");
    }
    // Where no operator is known, such a credential is an invalid token.
    let operator = api.request(Method::GET, SESSIONS).bearer_auth("op_x").query(&user);
    problem(&api.send(operator).await?, 401, "invalid_token");
    assert!(world.is_active(&his.access).await?);
    Ok(())
}

#[tokio::test]
async fn a_reason_is_taken_and_a_long_one_refused() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let (here, there) = (person.session("atoms-web").await?, person.session("atoms-web").await?);
    let api = &world.api;
    let end = |reason: &str| {
        let request = api.request(Method::DELETE, &format!("{SESSIONS}/{}", there.id()?));
        anyhow::Ok(request.bearer_auth(&here.access).query(&[("reason", reason)]))
    };
    let long = "r".repeat(201);
    problem(&api.send(end(&long)?).await?, 400, "invalid_request");
    let body = json!({ "reason": long });
    problem(&api.end_all(&here.access, Some(body)).await?, 400, "invalid_request");
    assert!(world.is_active(&there.access).await?);
    api.send(end(&"r".repeat(200))?).await?.expect(204, "delete")?;
    let body = json!({ "reason": "moving out" });
    api.end_all(&here.access, Some(body)).await?.expect(200, "revoke-all")?;
    Ok(())
}

#[tokio::test]
async fn answers_say_what_is_left_of_a_limit() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let mut answers = Vec::new();
    let refreshed = world.api.refresh(&session.client, &session.refresh, &[]).await?;
    answers.push(("refresh", refreshed));
    answers.push(("list", world.api.sessions(&session.access).await?));
    let other = person.session("atoms-web").await?;
    let revoked = world.api.revoke(&other.client, &other.access, &[]).await?;
    answers.push(("revoke", revoked));
    answers.push(("delete", world.api.end_session(&session.access, &other.id()?).await?));
    answers.push(("revoke_all", world.api.end_all(&session.access, None).await?));
    for (class, answer) in answers {
        assert!(answer.status < 300, "{class}: {}", answer.text);
        let policy = answer.header("ratelimit-policy");
        assert!(policy.starts_with(&format!("\"{class}\";q=")), "{class}: {policy}");
        let state = answer.header("ratelimit");
        assert!(state.starts_with(&format!("\"{class}\";r=")), "{class}: {state}");
        assert_eq!(answer.header("retry-after"), "", "{class}");
    }
    Ok(())
}
