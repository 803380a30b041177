//! A person's own page, the question for consent, and who else would like to answer for them.

use anyhow::{Context as _, Result};
use e2e::World;
use e2e::browser::{Browser, Page};
use reqwest::{Method, Url};
use serde_json::json;

const ACCOUNT: &str = "/account";
/// Of a client of the tests; nobody is there.
const CALLBACK: &str = "https://client.example/callback";
/// The challenge of RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What the page of a form leads to, which says what was done.
fn back(page: &Page, done: &str) {
    let expected = format!("{ACCOUNT}?done={done}");
    assert_eq!((page.status, page.header("location")), (303, expected.as_str()), "{}", page.html);
}

/// A client that has registered itself under a name.
async fn stranger(world: &World, name: &str) -> Result<String> {
    let metadata = json!({
        "client_name": name,
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let request = world.api.request(Method::POST, "/oauth/register").json(&metadata);
    let answer = world.api.send(request).await?.expect(201, "registration")?;
    Ok(answer.member("client_id").to_owned())
}

fn request(client: &str, scope: &str) -> String {
    format!(
        "/oauth/authorize?response_type=code&client_id={client}&redirect_uri={CALLBACK}\
         &code_challenge={CHALLENGE}&code_challenge_method=S256&state=s&scope={scope}"
    )
}

/// What somebody answers on the page that asks.
async fn answer(browser: &Browser, asked: &Page, decision: &str) -> Result<Page> {
    let fields = [
        ("request", asked.field("request")),
        ("csrf", asked.field("csrf")),
        ("decision", decision),
    ];
    browser.submit("/oauth/consent", &fields, &[]).await
}

/// The tokens of a code.
async fn redeemed(world: &World, client: &str, onward: &Url) -> Result<String> {
    let code = onward.query_pairs().find(|(name, _)| name == "code").context("a code")?.1;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", &*code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", CALLBACK),
    ];
    let answer = world.api.form("/oauth/token", &fields).await?.expect(200, "the code")?;
    Ok(answer.member("access_token").to_owned())
}

#[tokio::test]
async fn a_person_sees_and_ends_their_sessions() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let (web, cli) = (person.session("atoms-web").await?, person.session("atoms-cli").await?);
    let other = world.person().await?.session("atoms-web").await?;
    let browser = Browser::of(&world, &person.user.email)?;
    let page = browser.open(ACCOUNT).await?;
    assert_eq!(page.status, 200, "{}", page.html);
    let ends = |id: &str| format!("action=\"/account/sessions/{id}/end\"");
    assert!(page.html.contains(&person.user.email));
    assert!(page.html.contains(&ends(&web.id()?)) && page.html.contains(&ends(&cli.id()?)));
    assert!(!page.html.contains(&other.id()?), "nobody else's");
    assert!(!page.html.contains("ar1_") && !page.html.contains(&web.access), "no token");
    let csrf = [("csrf", page.field("csrf"))];
    let end =
        async |id: &str| browser.submit(&format!("/account/sessions/{id}/end"), &csrf, &[]).await;
    back(&end(&web.id()?).await?, "ended");
    assert!(!world.is_active(&web.access).await? && world.is_active(&cli.access).await?);
    for gone in [other.id()?.as_str(), "x", "00112233445566778899aabbccddeeff"] {
        back(&end(gone).await?, "gone");
    }
    assert!(world.is_active(&other.access).await?);
    let page = browser.open("/account?done=ended").await?;
    assert!(page.html.contains("The session has ended.") && !page.html.contains(&web.id()?));
    let page = browser.open("/account?done=%3Cscript%3E").await?;
    assert!(page.status == 200 && !page.html.contains("script"));
    Ok(())
}

#[tokio::test]
async fn who_is_not_signed_in_is_sent_to_sign_in_and_comes_back() -> Result<()> {
    let world = World::attach()?;
    let answer = world.api.get(ACCOUNT).await?;
    let sign_in = "/oauth/login?return_to=/account";
    assert_eq!((answer.status, answer.header("location")), (303, sign_in));
    let person = world.person().await?;
    let browser = Browser::of(&world, &person.user.email)?;
    assert_eq!(browser.open(ACCOUNT).await?.url.path(), ACCOUNT);
    for elsewhere in [
        "https://evil.example",
        "//evil.example",
        "/account@evil.example",
        "/account/../oauth/token",
        "\\\\evil.example",
        "/%2Fevil.example",
        "javascript:alert(1)",
    ] {
        let answer = world.api.get(&format!("/oauth/login?return_to={elsewhere}")).await?;
        assert_eq!((answer.status, answer.header("location")), (400, ""), "{elsewhere}");
    }
    Ok(())
}

#[tokio::test]
async fn the_page_cannot_be_framed_or_kept() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let page = Browser::of(&world, &person.user.email)?.open(ACCOUNT).await?;
    for (name, value) in [
        ("content-security-policy", pages::POLICY),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("access-control-allow-origin", ""),
    ] {
        assert_eq!(page.header(name), value, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_else_posts_the_forms_of_a_person() -> Result<()> {
    let world = World::attach()?;
    let (ada, eve) = (world.person().await?, world.person().await?);
    let session = ada.session("atoms-web").await?;
    let browser = Browser::of(&world, &ada.user.email)?;
    let own = browser.open(ACCOUNT).await?;
    let hers = Browser::of(&world, &eve.user.email)?;
    let theirs = hers.open(ACCOUNT).await?;
    let end = format!("/account/sessions/{}/end", session.id()?);
    for path in [end.as_str(), "/account/others/end", "/account/apps/end", "/account/sign-out"] {
        let post = async |browser: &Browser, csrf: &str, headers: &[(&'static str, &str)]| {
            let fields = [("csrf", csrf), ("client_id", "atoms-web")];
            browser.submit(path, &fields, headers).await
        };
        for csrf in ["", "1.x", theirs.field("csrf")] {
            back(&post(&browser, csrf, &[]).await?, "stale");
        }
        let token = own.field("csrf");
        for header in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
            ("origin", "https://evil.example"),
        ] {
            assert_eq!(post(&browser, token, &[header]).await?.status, 403, "{path} {header:?}");
        }
        // Her own page is of no use in her browser against him, nor is his token in hers.
        back(&post(&hers, token, &[]).await?, "stale");
        let nobody = Browser::of(&world, &eve.user.email)?;
        let sent = post(&nobody, token, &[]).await?;
        assert_eq!(
            (sent.status, sent.header("location")),
            (303, "/oauth/login?return_to=/account")
        );
    }
    assert!(world.is_active(&session.access).await?);
    assert_eq!(browser.open(ACCOUNT).await?.url.path(), ACCOUNT, "still signed in");
    Ok(())
}

#[tokio::test]
async fn whoever_signs_out_leaves_nothing_behind_but_what_is_connected() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let session = person.session("atoms-web").await?;
    let browser = Browser::of(&world, &person.user.email)?;
    let page = browser.open(ACCOUNT).await?;
    let copied = browser.copied();
    assert_eq!(copied.open(ACCOUNT).await?.field("csrf"), page.field("csrf"));
    let csrf = [("csrf", page.field("csrf"))];
    let answer = browser.submit("/account/sign-out", &csrf, &[]).await?;
    assert!(answer.status == 200 && answer.html.contains("You are signed out"), "{}", answer.html);
    for left in [&browser, &copied] {
        let sent = left.submit("/account/others/end", &csrf, &[]).await?;
        assert_eq!(
            (sent.status, sent.header("location")),
            (303, "/oauth/login?return_to=/account")
        );
    }
    assert!(world.is_active(&session.access).await?);
    Ok(())
}

#[tokio::test]
async fn all_but_what_this_browser_has_started_ends() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let (web, cli) = (person.session("atoms-web").await?, person.session("atoms-cli").await?);
    let browser = Browser::of(&world, &person.user.email)?;
    let page = browser.open(ACCOUNT).await?;
    back(
        &browser.submit("/account/others/end", &[("csrf", page.field("csrf"))], &[]).await?,
        "others-ended",
    );
    assert!(!world.is_active(&web.access).await? && !world.is_active(&cli.access).await?);
    Ok(())
}

#[tokio::test]
async fn consent_is_asked_once_and_again_for_more_or_after_it_was_withdrawn() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let client = stranger(&world, "Claude <b>").await?;
    let browser = Browser::of(&world, &person.user.email)?;
    let less = request(&client, "atoms:workspace.read");
    let asked = browser.open(&less).await?;
    assert!(asked.html.contains("Claude &lt;b&gt;") && asked.html.contains("See your workspaces"));
    assert!(asked.html.contains("client.example") && asked.html.contains(&person.user.email));
    assert!(!asked.html.contains("Create and change workspaces"));
    let denied = answer(&browser, &asked, "deny").await?.onward()?;
    assert!(denied.as_str().starts_with(CALLBACK));
    let told = |url: &Url, name: &str| {
        url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    };
    assert_eq!(told(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(told(&denied, "iss").as_deref(), Some(world.issuer()));
    let asked = browser.open(&less).await?;
    let access =
        redeemed(&world, &client, &answer(&browser, &asked, "allow").await?.onward()?).await?;
    // Not again for the same or less, but for more.
    let straight = Url::parse(&world.api.url(&less))?;
    assert!(told(&browser.visit(straight.clone(), CALLBACK).await?, "code").is_some());
    let more = request(&client, "atoms:workspace.read+atoms:workspace.write");
    assert!(browser.open(&more).await?.html.contains("Create and change workspaces"));
    let page = browser.open(ACCOUNT).await?;
    assert!(page.html.contains("Connected applications") && page.html.contains("Claude &lt;b&gt;"));
    let fields = [("csrf", page.field("csrf")), ("client_id", client.as_str())];
    back(&browser.submit("/account/apps/end", &fields, &[]).await?, "disconnected");
    assert!(!world.is_active(&access).await?);
    assert!(!browser.open(ACCOUNT).await?.html.contains("Claude"));
    assert!(!browser.open(&less).await?.field("request").is_empty(), "it asks again");
    Ok(())
}

#[tokio::test]
async fn nobody_else_answers_for_a_person() -> Result<()> {
    let world = World::attach()?;
    let (ada, eve) = (world.person().await?, world.person().await?);
    let client = stranger(&world, "Somebody").await?;
    let (browser, thief) =
        (Browser::of(&world, &ada.user.email)?, Browser::of(&world, &eve.user.email)?);
    let less = request(&client, "atoms:workspace.read");
    let more = request(&client, "atoms:workspace.read+atoms:workspace.write");
    let (asked, wider) = (browser.open(&less).await?, browser.open(&more).await?);
    let theirs = thief.open(&more).await?;
    let post =
        async |browser: &Browser, request: &str, csrf: &str, headers: &[(&'static str, &str)]| {
            let fields = [("request", request), ("csrf", csrf), ("decision", "allow")];
            browser.submit("/oauth/consent", &fields, headers).await
        };
    let (sealed, token) = (asked.field("request"), asked.field("csrf"));
    for (request, csrf) in [
        (sealed, ""),
        (sealed, "1.x"),
        ("", token),
        (sealed, theirs.field("csrf")),
        // What was asked is what is answered.
        (wider.field("request"), token),
        (theirs.field("request"), token),
        (theirs.field("request"), theirs.field("csrf")),
    ] {
        let answer = post(&browser, request, csrf, &[]).await?;
        assert!((400..500).contains(&answer.status), "{request:.8} {csrf:.8}: {}", answer.status);
        assert!(answer.onward().is_err() && !answer.html.contains("ac1_"));
    }
    for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        assert_eq!(post(&browser, sealed, token, &[header]).await?.status, 403, "{header:?}");
    }
    // In another browser, be it the person's own, or in none.
    let elsewhere = Browser::of(&world, &ada.user.email)?;
    elsewhere.open(ACCOUNT).await?;
    let nobody = Browser::of(&world, &eve.user.email)?;
    for other in [&thief, &elsewhere, &nobody] {
        let answer = post(other, sealed, token, &[]).await?;
        assert!((400..500).contains(&answer.status) && !answer.html.contains("ac1_"));
    }
    assert!(!browser.open(&less).await?.field("request").is_empty(), "nothing was agreed to");
    assert!(post(&browser, sealed, token, &[]).await?.onward().is_ok(), "but by the person");
    Ok(())
}
