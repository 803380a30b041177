//! From a client's request to its code, through the identity provider and the page that asks; and the
//! attacks on that way.

use anyhow::Result;
use e2e::browser::{Browser, CALLBACK, CHALLENGE, Page, Shown};
use e2e::client::{MCP, TOKEN};
use e2e::world::unique;
use e2e::{Answer, World};
use futures::future::join_all;
use reqwest::{Method, Url};

const PAR: &str = "/oauth/par";
const THIRD: &str = "third-party";
const WEB: &str = "atoms-web";

async fn browser(world: &World) -> Result<Browser> {
    let person = world.workos.create_user(&format!("{}@example.test", unique())).await?;
    Browser::of(world, &person.email)
}

/// The person answers the page that asks, or goes on if none does.
async fn allowed(browser: &Browser, shown: Shown) -> Result<Shown> {
    match shown {
        Shown::Page(page) => browser.press(&page, ("decision", "allow")).await,
        left => Ok(left),
    }
}

async fn push(world: &World, client: &str, more: &[(&str, &str)]) -> Result<Answer> {
    let usual = [
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "of the client"),
    ];
    let said = |name: &str| more.iter().any(|(known, _)| *known == name);
    let usual: Vec<_> = usual.into_iter().filter(|(name, _)| !said(name)).collect();
    world.api.form_as(PAR, world.client(client)?, &[&usual, more].concat()).await
}

fn pushed(world: &World, client: &str, uri: &str) -> Result<Url> {
    let query = [("client_id", client), ("request_uri", uri)];
    Ok(Url::parse_with_params(&world.api.url("/oauth/authorize"), query)?)
}

/// A page for the person alone: nobody is told anything, and nobody is sent anywhere.
fn assert_stopped(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.header("location")), (status, ""), "{}", answer.text);
    assert!(answer.text.contains(code), "{code}: {}", answer.text);
    assert_page(answer);
}

fn assert_page(answer: &Answer) {
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe"), "{policy}");
}

/// What the client is told, which must be an error.
fn error(world: &World, shown: Shown) -> Result<String> {
    let told = shown.told()?;
    assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("of the client", world.issuer()));
    assert!(!told.contains_key("code"));
    Ok(told["error"].clone())
}

#[tokio::test]
async fn a_first_party_client_gets_tokens_for_a_person_who_signs_in() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    let mcp = world.mcp();
    let code = browser.code(WEB, &[("resource", mcp.as_str())]).await?;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.code.as_str()),
        ("code_verifier", code.verifier.as_str()),
        ("redirect_uri", CALLBACK),
    ];
    let answer = world.api.form_as(TOKEN, world.client(WEB)?, &fields).await?;
    let answer = answer.expect(200, "the code")?;
    let list = serde_json::json!({});
    world.api.mcp(answer.member("access_token"), "tools/list", list).await?.result("a call")?;
    Ok(())
}

#[tokio::test]
async fn m9_answers_are_redirects_that_leave_no_trace() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    let answer = browser.get(browser.link(WEB, &[])?).await?;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let location = Url::parse(answer.header("location"))?;
    let query: std::collections::BTreeMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(query["redirect_uri"], world.api.url("/oauth/callback"));
    assert_eq!((query["provider"].as_str(), query["response_type"].as_str()), ("authkit", "code"));
    assert_eq!(query["code_challenge_method"], "S256");
    assert!(!query["state"].contains("callback"), "it is sealed");
    let told = browser.open(browser.link(WEB, &[])?).await?.told()?;
    assert!(told["code"].starts_with("ac1_"));
    assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("of the client", world.issuer()));
    Ok(())
}

#[tokio::test]
async fn others_are_allowed_by_the_person_or_not() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    let read = [("scope", "atoms:workspace.read")];
    let page = browser.open(browser.link(THIRD, &read)?).await?.page()?;
    assert_eq!(page.answer.status, 200);
    assert_page(&page.answer);
    assert!(page.answer.text.contains("Somebody else&#39;s"), "{}", page.answer.text);
    let denied = browser.press(&page, ("decision", "deny")).await?;
    assert_eq!(error(&world, denied)?, "access_denied");
    let told = browser.press(&page, ("decision", "allow")).await?.told()?;
    assert!(told["code"].starts_with("ac1_"), "{told:?}");
    assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("of the client", world.issuer()));
    Ok(())
}

#[tokio::test]
async fn prompt_none_tells_what_would_have_to_be_asked() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    let none = [("prompt", "none")];
    let link = |client| browser.link(client, &none);
    assert_eq!(error(&world, browser.open(link(WEB)?).await?)?, "login_required");
    browser.open(browser.link(WEB, &[])?).await?.told()?;
    assert!(browser.open(link(WEB)?).await?.told()?.contains_key("code"));
    assert_eq!(error(&world, browser.open(link(THIRD)?).await?)?, "consent_required");
    let shown = browser.open(browser.link(THIRD, &[])?).await?;
    assert!(allowed(&browser, shown).await?.told()?.contains_key("code"));
    // On the person's device another program could pass for it.
    assert_eq!(error(&world, browser.open(link(THIRD)?).await?)?, "interaction_required");
    let login = browser.get(browser.link(WEB, &[("prompt", "login")])?).await?;
    assert!(login.header("location").contains("max_age=0"), "{}", login.header("location"));
    Ok(())
}

#[tokio::test]
async fn m9_nobody_is_sent_where_the_client_is_not_known_to_be() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    for redirect in [
        "https://evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://127.0.0.1:80@evil.example/callback",
        "http://127.0.0.1/callback#x",
        "http://127.0.0.1/callback/",
        "http://127.0.0.1/callback%2f..%2fevil",
        "http://127.0.0.1%2f@evil.example/callback",
        "http://127.0.0.1\\@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1./callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://localhost/callback",
        "http://localhost.evil.example/callback",
        "http://127.1/callback",
        "//evil.example/callback",
        "javascript:alert(1)",
    ] {
        let answer = browser.get(browser.link(WEB, &[("redirect_uri", redirect)])?).await?;
        assert_stopped(&answer, 400, "invalid_request");
        let answer = push(&world, WEB, &[("redirect_uri", redirect)]).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "{redirect}");
    }
    let free = browser.link(WEB, &[("redirect_uri", "http://127.0.0.1:52163/callback")])?;
    assert!(browser.open(free).await?.told()?.contains_key("code"), "the port is free");
    Ok(())
}

#[tokio::test]
async fn an_unknown_client_or_a_repeated_parameter_is_told_to_nobody() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    let nobody = browser.get(browser.link("nobody", &[])?).await?;
    assert_stopped(&nobody, 400, "invalid_client");
    for name in ["client_id", "redirect_uri", "state", "code_challenge", "scope"] {
        let mut link = browser.link(WEB, &[("scope", "audit:read")])?;
        link.query_pairs_mut().append_pair(name, "again");
        assert_stopped(&browser.get(link).await?, 400, "invalid_request");
    }
    let name = "<script>alert(1)</script>";
    let answer = browser.get(browser.link(name, &[])?).await?;
    assert!(!answer.text.contains("<script"), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn m8_pkce_cannot_be_left_out_or_weakened() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    for changes in [
        [("code_challenge", ""), ("code_challenge_method", "")],
        [("code_challenge", ""), ("code_challenge_method", "S256")],
        [("code_challenge", CHALLENGE), ("code_challenge_method", "")],
        [("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
        [("code_challenge", "short"), ("code_challenge_method", "S256")],
    ] {
        let shown = browser.open(browser.link(WEB, &changes)?).await?;
        assert_eq!(error(&world, shown)?, "invalid_request", "{changes:?}");
        let answer = push(&world, WEB, &changes).await?;
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "{changes:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_to_its_client() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    for (change, code) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("scope", "atoms:everything"), "invalid_scope"),
        (("resource", "https://other.example/mcp"), "invalid_target"),
        (("request", "e30.e30."), "request_not_supported"),
        (("prompt", "none login"), "invalid_request"),
        (("dpop_jkt", "short"), "invalid_request"),
    ] {
        let shown = browser.open(browser.link(WEB, &[change])?).await?;
        assert_eq!(error(&world, shown)?, code, "{change:?}");
        let answer = push(&world, WEB, &[change]).await?;
        assert_eq!((answer.status, answer.error()), (400, code), "{change:?}");
    }
    Ok(())
}

#[tokio::test]
async fn m6_nothing_secret_is_taken_from_a_url() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    for name in ["access_token", "refresh_token", "client_secret", "client_assertion", "code"] {
        let answer = browser.get(browser.link(WEB, &[(name, "secret-value")])?).await?;
        assert_stopped(&answer, 400, "invalid_request");
        assert!(!answer.text.contains("secret-value"));
    }
    let path = format!("{PAR}?client_secret=secret-value");
    let answer = world.api.form_as(&path, world.client(WEB)?, &[("response_type", "code")]).await?;
    assert_eq!((answer.status, answer.error()), (400, "invalid_request"));
    let person = world.person().await?;
    let session = person.session(WEB).await?;
    let path = format!("{MCP}?access_token={}", session.access);
    let call = world.api.request(Method::POST, &path).header("content-type", "application/json");
    let answer = world.api.send(call.body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)).await?;
    assert_eq!(answer.status, 401, "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn code_injection_a_sign_in_ends_in_the_browser_where_it_began() -> Result<()> {
    let world = World::attach()?;
    let (attacker, victim) = (browser(&world).await?, browser(&world).await?);
    let answer = attacker.get(attacker.link(WEB, &[])?).await?;
    let sign_in = Url::parse(answer.header("location"))?;
    let back = attacker.get(sign_in).await?;
    let back = Url::parse(back.header("location"))?;
    assert_eq!(back.path(), "/oauth/callback");
    assert_stopped(&victim.get(back.clone()).await?, 400, "invalid_request");
    // Nor if the victim is on the way to sign in, too; or with another's code in their own way back.
    let theirs = victim.get(victim.link(WEB, &[])?).await?;
    assert_stopped(&victim.get(back.clone()).await?, 400, "invalid_request");
    let state = Url::parse(theirs.header("location"))?;
    let state = state.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value);
    let code = back.query_pairs().find(|(name, _)| name == "code").map(|(_, value)| value);
    let mixed = [("code", code.unwrap_or_default()), ("state", state.unwrap_or_default())];
    let mixed = Url::parse_with_params(&world.api.url("/oauth/callback"), mixed)?;
    assert_eq!(error(&world, victim.open(mixed).await?)?, "access_denied");
    assert_eq!(victim.cookie("atoms_login"), None);
    // In the browser where it began, it still ends well, and only once.
    assert!(attacker.cookie("atoms_login").is_none());
    Ok(())
}

#[tokio::test]
async fn a_callback_without_a_request_leads_nowhere() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    browser.open(browser.link(WEB, &[])?).await?.told()?;
    for query in ["", "?code=x", "?code=x&state=made-up", "?error=access_denied&state=x", "?state="]
    {
        let url = Url::parse(&world.api.url(&format!("/oauth/callback{query}")))?;
        assert_stopped(&browser.get(url).await?, 400, "invalid_request");
    }
    Ok(())
}

#[tokio::test]
async fn consent_forgery_only_who_was_asked_can_answer() -> Result<()> {
    let world = World::attach()?;
    let (ada, bob) = (browser(&world).await?, browser(&world).await?);
    let page = ada.open(ada.link(THIRD, &[])?).await?.page()?;
    let other = bob.open(bob.link(THIRD, &[])?).await?.page()?;
    let allow = ("decision".to_owned(), "allow".to_owned());
    let url = Url::parse(&world.api.url("/oauth/consent"))?;
    let field = |page: &Page, name: &str| {
        page.fields().into_iter().find(|(known, _)| known == name).unwrap_or_default()
    };
    let (request, csrf) = (field(&page, "request"), field(&page, "csrf"));
    for fields in [
        vec![request.clone(), csrf.clone(), allow.clone()],
        vec![request.clone(), field(&other, "csrf"), allow.clone()],
    ] {
        assert_stopped(&bob.post(url.clone(), &fields).await?, 403, "access_denied");
    }
    for fields in [
        vec![request.clone(), allow.clone()],
        vec![csrf.clone(), allow.clone()],
        vec![field(&other, "request"), csrf.clone(), allow.clone()],
    ] {
        assert_stopped(&ada.post(url.clone(), &fields).await?, 403, "access_denied");
    }
    let nobody = browser(&world).await?;
    let fields = [request.clone(), csrf.clone(), allow];
    assert_stopped(&nobody.post(url.clone(), &fields).await?, 400, "invalid_request");
    assert_stopped(&ada.post(url, &[request, csrf]).await?, 400, "invalid_request");
    Ok(())
}

#[tokio::test]
async fn consent_is_asked_for_by_no_other_site() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    let page = browser.open(browser.link(THIRD, &[])?).await?.page()?;
    let mut fields = page.fields();
    fields.push(("decision".to_owned(), "allow".to_owned()));
    let cookie = browser.cookie("atoms_login").unwrap_or_default();
    let mine = format!("atoms_login={cookie}");
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
    ] {
        let request = world.api.request(Method::POST, "/oauth/consent").form(&fields);
        let request = request.header("cookie", &mine).header(header, value);
        assert_stopped(&world.api.send(request).await?, 403, "access_denied");
    }
    Ok(())
}

#[tokio::test]
async fn a_pushed_request_is_used_once_and_by_its_client() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    let answer = push(&world, WEB, &[]).await?.expect(201, "a pushed request")?;
    assert_eq!(
        (answer.header("cache-control"), &answer.body["expires_in"]),
        ("no-store", &90.into())
    );
    let uri = answer.member("request_uri").to_owned();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{uri}");
    let foreign = browser.get(pushed(&world, "atoms-cli", &uri)?).await?;
    assert_stopped(&foreign, 400, "invalid_request_uri");
    let looked = world.api.request(Method::HEAD, "/oauth/authorize");
    let looked = looked.query(&[("client_id", WEB), ("request_uri", &uri)]);
    assert_eq!(world.api.send(looked).await?.status, 200, "to look at it does not use it up");
    let told = browser.open(pushed(&world, WEB, &uri)?).await?.told()?;
    assert!(told.contains_key("code") && told["state"] == "of the client", "{told:?}");
    let again = browser.get(pushed(&world, WEB, &uri)?).await?;
    assert_stopped(&again, 400, "invalid_request_uri");
    for made_up in ["urn:ietf:params:oauth:request_uri:x", &uri[..uri.len() - 1]] {
        let answer = browser.get(pushed(&world, WEB, made_up)?).await?;
        assert_stopped(&answer, 400, "invalid_request_uri");
    }
    let elsewhere = browser.get(pushed(&world, WEB, "https://evil.example/request")?).await?;
    assert_stopped(&elsewhere, 400, "request_uri_not_supported");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_uses_of_a_pushed_request_at_once_one_succeeds() -> Result<()> {
    let world = World::attach()?;
    let answer = push(&world, WEB, &[]).await?.expect(201, "a pushed request")?;
    let link = pushed(&world, WEB, answer.member("request_uri"))?;
    let browsers: Vec<_> =
        (0..50).map(|_| Browser::of(&world, "ada@example.test")).collect::<Result<_>>()?;
    let answers = join_all(browsers.iter().map(|browser| browser.get(link.clone()))).await;
    let mut statuses =
        answers.into_iter().map(|answer| Ok(answer?.status)).collect::<Result<Vec<_>>>()?;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (303, &[400; 49][..]));
    Ok(())
}

#[tokio::test]
async fn c4_a_pushed_request_is_authenticated_as_at_the_token_endpoint() -> Result<()> {
    let world = World::attach()?;
    let browser = browser(&world).await?;
    let service = world.client("atoms-service")?;
    let fields = [("client_id", service.id.as_str()), ("response_type", "code")];
    let answer = world.api.form(PAR, &fields).await?;
    assert_eq!((answer.status, answer.error()), (401, "invalid_client"));
    let request = world.api.request(Method::POST, PAR).basic_auth(&service.id, Some("wrong"));
    let answer = world.api.send(request.form(&fields)).await?;
    assert_eq!((answer.status, answer.error()), (401, "invalid_client"));
    assert!(answer.header("www-authenticate").starts_with("Basic"));
    let answer = push(&world, "atoms-service", &[]).await?.expect(201, "a pushed request")?;
    let link = pushed(&world, "atoms-service", answer.member("request_uri"))?;
    assert!(browser.open(link).await?.told()?.contains_key("code"));
    for (method, status) in [(Method::GET, 405), (Method::PUT, 405)] {
        assert_eq!(world.api.send(world.api.request(method, PAR)).await?.status, status);
    }
    Ok(())
}
