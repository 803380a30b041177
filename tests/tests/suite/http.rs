//! What holds for every route.

use anyhow::Result;
use e2e::client::{MCP, SESSIONS, TOKEN};
use e2e::{Answer, World};
use ports::route::{AUTHORIZE, CALLBACK, LOGIN, ROUTES};
use reqwest::Method;

fn paths() -> impl Iterator<Item = (String, bool)> {
    ROUTES.iter().map(|route| (route.path.replace("{id}", "x"), route.methods == [Method::GET]))
}

#[tokio::test]
async fn every_answer_has_the_security_headers() -> Result<()> {
    let world = World::attach()?;
    let mut answers = vec![world.api.get("/nowhere").await?];
    for (path, _) in paths() {
        answers.push(world.api.get(&path).await?);
        answers.push(world.api.form(&path, &[]).await?);
        answers.push(world.api.send(world.api.request(Method::OPTIONS, &path)).await?);
    }
    for answer in answers {
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value, "{name}: {} {}", answer.status, answer.text);
        }
        let page = answer.header("content-type").starts_with("text/html");
        let policy =
            if page { pages::POLICY } else { "default-src 'none'; frame-ancestors 'none'" };
        assert_eq!(answer.header("content-security-policy"), policy, "{}", answer.text);
        assert!(!answer.header("x-request-id").is_empty(), "{} {}", answer.status, answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn unknown_paths_are_problems() -> Result<()> {
    let world = World::attach()?;
    for path in ["/", "/oauth", "/oauth/token/", "/auth/sessions/a/b", "/mcp/x", "/health/x", "/%"]
    {
        let answer = world.api.get(path).await?;
        assert_eq!((answer.status, answer.member("code")), (404, "not_found"), "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(answer.body["type"], "about:blank", "{path}");
        assert_eq!(answer.body["status"], 404, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn c1_other_methods_are_refused() -> Result<()> {
    let world = World::attach()?;
    for route in ROUTES {
        let path = route.path.replace("{id}", "x");
        for method in
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE]
        {
            if route.allows(&method) {
                continue;
            }
            let answer = world.api.send(world.api.request(method.clone(), &path)).await?;
            assert_eq!(answer.status, 405, "{method} {path}");
            let allowed = answer.header("allow");
            let mut expected: Vec<&str> = route.methods.iter().map(Method::as_str).collect();
            expected.extend(route.methods.contains(&Method::GET).then_some("HEAD"));
            expected.push("OPTIONS");
            assert_eq!(allowed, expected.join(", "), "{method} {path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn head_is_get_without_a_body() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    for (path, _) in paths().filter(|(_, reads)| *reads) {
        let request = |method| world.api.request(method, &path).bearer_auth(&session.access);
        // Whoever only looks at a link must not use it up, and learns nothing by it.
        if [AUTHORIZE, LOGIN, CALLBACK].contains(&path.as_str()) {
            let head = world.api.send(request(Method::HEAD)).await?;
            assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
            continue;
        }
        let get = world.api.send(request(Method::GET)).await?;
        let head = world.api.send(request(Method::HEAD)).await?;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn documents_are_for_every_origin() -> Result<()> {
    let world = World::attach()?;
    for (path, _) in paths().filter(|(path, _)| path.starts_with("/.well-known/")) {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = from(&world, method, &path, "https://anywhere.example").await?;
            assert!(answer.status < 300, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_known_origin_may_call_from_a_browser() -> Result<()> {
    let world = World::attach()?;
    let own = world.issuer().to_owned();
    for path in [TOKEN, SESSIONS, MCP] {
        let preflight = from(&world, Method::OPTIONS, path, &own).await?;
        assert_eq!((preflight.status, preflight.text.as_str()), (204, ""), "{path}");
        assert_eq!(preflight.header("access-control-allow-origin"), own, "{path}");
        let headers = preflight.header("access-control-allow-headers").to_lowercase();
        for name in ["authorization", "content-type", "mcp-protocol-version"] {
            assert!(headers.contains(name), "{path}: {headers}");
        }
        let methods = preflight.header("access-control-allow-methods");
        assert!(methods.contains(if path == SESSIONS { "GET" } else { "POST" }), "{path}");
        assert_eq!(preflight.header("access-control-allow-credentials"), "", "{path}");
        assert!(preflight.header("vary").to_lowercase().contains("origin"), "{path}");
        // A refusal can be read, too: that is how a page learns that it must refresh.
        let refusal = from(&world, Method::POST, path, &own).await?;
        assert!(refusal.status >= 400);
        assert_eq!(refusal.header("access-control-allow-origin"), own, "{path}");
        let exposed = refusal.header("access-control-expose-headers").to_lowercase();
        assert!(exposed.contains("www-authenticate"), "{path}: {exposed}");
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_origin_learns_nothing() -> Result<()> {
    let world = World::attach()?;
    for path in [TOKEN, SESSIONS, MCP, "/health/live"] {
        for method in [Method::OPTIONS, Method::POST] {
            let answer = from(&world, method, path, "https://evil.example").await?;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
            assert_eq!(answer.header("access-control-allow-methods"), "", "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_answer_has_a_name_of_its_own() -> Result<()> {
    let world = World::attach()?;
    let one = world.api.get("/health/live").await?;
    let other = world.api.get("/health/live").await?;
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    // What the caller calls it does not matter.
    let request = world.api.request(Method::GET, "/health/live").header("x-request-id", "mine");
    assert_ne!(world.api.send(request).await?.header("x-request-id"), "mine");
    Ok(())
}

async fn from(world: &World, method: Method, path: &str, origin: &str) -> Result<Answer> {
    let request = world.api.request(method, path).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    world.api.send(request.header("access-control-request-headers", "authorization")).await
}
