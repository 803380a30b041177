//! A person's own page, the question for consent, and who else would like to answer for them.

use anyhow::{Context as _, Result};
use e2e::browser::{Browser, CHALLENGE, Page};
use e2e::{Answer, World};
use reqwest::{Method, Url};
use serde_json::json;

const ACCOUNT: &str = "/account";
/// Of a client of the tests; nobody is there.
const CALLBACK: &str = "https://client.example/callback";
/// Of the challenge of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Where whoever is not signed in is sent.
const SIGN_IN: &str = "/oauth/login?return_to=/account";

/// Somebody at their browser.
struct Visitor {
    world: World,
    browser: Browser,
}

impl Visitor {
    fn of(world: &World, email: &str) -> Result<Self> {
        Ok(Self { world: world.clone(), browser: Browser::of(world, email)? })
    }

    fn copied(&self) -> Result<Self> {
        Ok(Self { world: self.world.clone(), browser: self.browser.copied()? })
    }

    fn at(&self, path: &str) -> Result<Url> {
        Ok(Url::parse(&self.world.api.url(path))?)
    }

    /// The page that a link leads to.
    async fn open(&self, path: &str) -> Result<Page> {
        self.browser.open(self.at(path)?).await?.page()
    }

    /// Post a form, with what the browser says of where it is from if that is not the usual.
    async fn submit(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        says: &[(&'static str, &str)],
    ) -> Result<Answer> {
        let usual = [("sec-fetch-site", "same-origin"), ("origin", "null")];
        let said = |name: &str| says.iter().any(|(known, _)| *known == name);
        let usual = usual.into_iter().filter(|(name, _)| !said(name));
        let says: Vec<_> = usual.chain(says.iter().copied()).collect();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let fields: Vec<_> = fields.iter().map(own).collect();
        self.browser.post_from(&says, self.at(path)?, &fields).await
    }

    /// What they answer on the page that asks, and where that leads.
    async fn answer(&self, asked: &Page, decision: &str) -> Result<Url> {
        let (request, csrf) = (asked.field("request"), asked.field("csrf"));
        let fields = [("request", request.as_str()), ("csrf", &csrf), ("decision", decision)];
        let answer = self.submit("/oauth/consent", &fields, &[]).await?.expect(200, "consent")?;
        let page = Page { answer, url: self.at("/oauth/consent")? };
        page.refresh().context("the page goes on")
    }
}

/// What a form leads back to, which says what was done.
fn back(answer: &Answer, done: &str) {
    let expected = format!("{ACCOUNT}?done={done}");
    assert_eq!((answer.status, answer.header("location")), (303, expected.as_str()));
}

fn told(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
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

/// The access token of a code.
async fn redeemed(world: &World, client: &str, onward: &Url) -> Result<String> {
    let code = told(onward, "code").context("a code")?;
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", &code),
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
    // They live as long as they are known here.
    let somebody = world.person().await?;
    let other = somebody.session("atoms-web").await?;
    let browser = Visitor::of(&world, &person.user.email)?;
    let page = browser.open(ACCOUNT).await?;
    assert_eq!(page.answer.status, 200, "{}", page.answer.text);
    let ends = |id: &str| format!("action=\"/account/sessions/{id}/end\"");
    assert!(page.answer.text.contains(&person.user.email));
    assert!(
        page.answer.text.contains(&ends(&web.id()?))
            && page.answer.text.contains(&ends(&cli.id()?))
    );
    assert!(!page.answer.text.contains(&other.id()?), "nobody else's");
    assert!(
        !page.answer.text.contains("ar1_") && !page.answer.text.contains(&web.access),
        "no token"
    );
    let token = page.field("csrf");
    let csrf = [("csrf", token.as_str())];
    let end =
        async |id: &str| browser.submit(&format!("/account/sessions/{id}/end"), &csrf, &[]).await;
    back(&end(&web.id()?).await?, "ended");
    assert!(!world.is_active(&web.access).await? && world.is_active(&cli.access).await?);
    for gone in [other.id()?.as_str(), "x", "00112233445566778899aabbccddeeff"] {
        back(&end(gone).await?, "gone");
    }
    assert!(world.is_active(&other.access).await?);
    let page = browser.open("/account?done=ended").await?;
    assert!(
        page.answer.text.contains("The session has ended.")
            && !page.answer.text.contains(&web.id()?)
    );
    let page = browser.open("/account?done=%3Cscript%3E").await?;
    assert!(page.answer.status == 200 && !page.answer.text.contains("script"));
    Ok(())
}

#[tokio::test]
async fn who_is_not_signed_in_is_sent_to_sign_in_and_comes_back() -> Result<()> {
    let world = World::attach()?;
    let answer = world.api.get(ACCOUNT).await?;
    assert_eq!((answer.status, answer.header("location")), (303, SIGN_IN));
    let person = world.person().await?;
    let browser = Visitor::of(&world, &person.user.email)?;
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
    let page = Visitor::of(&world, &person.user.email)?.open(ACCOUNT).await?;
    for (name, value) in [
        ("content-security-policy", pages::POLICY),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("access-control-allow-origin", ""),
    ] {
        assert_eq!(page.answer.header(name), value, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_else_posts_the_forms_of_a_person() -> Result<()> {
    let world = World::attach()?;
    let (ada, eve) = (world.person().await?, world.person().await?);
    let session = ada.session("atoms-web").await?;
    let browser = Visitor::of(&world, &ada.user.email)?;
    let own = browser.open(ACCOUNT).await?;
    let hers = Visitor::of(&world, &eve.user.email)?;
    let theirs = hers.open(ACCOUNT).await?;
    let end = format!("/account/sessions/{}/end", session.id()?);
    for path in [end.as_str(), "/account/others/end", "/account/apps/end", "/account/sign-out"] {
        let post = async |browser: &Visitor, csrf: &str, headers: &[(&'static str, &str)]| {
            let fields = [("csrf", csrf), ("client_id", "atoms-web")];
            browser.submit(path, &fields, headers).await
        };
        for csrf in ["", "1.x", &theirs.field("csrf")] {
            back(&post(&browser, csrf, &[]).await?, "stale");
        }
        let token = &own.field("csrf");
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
        let nobody = Visitor::of(&world, &eve.user.email)?;
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
    let browser = Visitor::of(&world, &person.user.email)?;
    let page = browser.open(ACCOUNT).await?;
    let copied = browser.copied()?;
    assert_eq!(copied.open(ACCOUNT).await?.field("csrf"), page.field("csrf"));
    let token = page.field("csrf");
    let csrf = [("csrf", token.as_str())];
    let answer = browser.submit("/account/sign-out", &csrf, &[]).await?;
    assert!(answer.status == 200 && answer.text.contains("You are signed out"), "{}", answer.text);
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
    let browser = Visitor::of(&world, &person.user.email)?;
    let page = browser.open(ACCOUNT).await?;
    back(
        &browser
            .submit("/account/others/end", &[("csrf", page.field("csrf").as_str())], &[])
            .await?,
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
    let browser = Visitor::of(&world, &person.user.email)?;
    let less = request(&client, "atoms:workspace.read");
    let asked = browser.open(&less).await?;
    assert!(
        asked.answer.text.contains("Claude &lt;b&gt;")
            && asked.answer.text.contains("See your workspaces")
    );
    assert!(
        asked.answer.text.contains("client.example")
            && asked.answer.text.contains(&person.user.email)
    );
    assert!(!asked.answer.text.contains("Create and change workspaces"));
    let denied = browser.answer(&asked, "deny").await?;
    assert!(denied.as_str().starts_with(CALLBACK));
    assert_eq!(told(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(told(&denied, "iss").as_deref(), Some(world.issuer()));
    let asked = browser.open(&less).await?;
    let access = redeemed(&world, &client, &browser.answer(&asked, "allow").await?).await?;
    // Not again for the same or less, but for more.
    let straight = browser.browser.visit(browser.at(&less)?, CALLBACK).await?;
    assert!(told(&straight, "code").is_some());
    let more = request(&client, "atoms:workspace.read+atoms:workspace.write");
    assert!(browser.open(&more).await?.answer.text.contains("Create and change workspaces"));
    let page = browser.open(ACCOUNT).await?;
    assert!(
        page.answer.text.contains("Connected applications")
            && page.answer.text.contains("Claude &lt;b&gt;")
    );
    let token = page.field("csrf");
    let fields = [("csrf", token.as_str()), ("client_id", client.as_str())];
    back(&browser.submit("/account/apps/end", &fields, &[]).await?, "disconnected");
    assert!(!world.is_active(&access).await?);
    assert!(!browser.open(ACCOUNT).await?.answer.text.contains("Claude"));
    assert!(!browser.open(&less).await?.field("request").is_empty(), "it asks again");
    Ok(())
}

#[tokio::test]
async fn what_was_asked_is_what_is_answered_and_in_the_same_browser() -> Result<()> {
    let world = World::attach()?;
    let person = world.person().await?;
    let client = stranger(&world, "Somebody").await?;
    let browser = Visitor::of(&world, &person.user.email)?;
    let less = request(&client, "atoms:workspace.read");
    let more = request(&client, "atoms:workspace.read+atoms:workspace.write");
    let (asked, wider) = (browser.open(&less).await?, browser.open(&more).await?);
    let (sealed, token) = (asked.field("request"), asked.field("csrf"));
    let post = async |browser: &Visitor, request: &str| {
        let fields = [("request", request), ("csrf", token.as_str()), ("decision", "allow")];
        browser.submit("/oauth/consent", &fields, &[]).await
    };
    let elsewhere = Visitor::of(&world, &person.user.email)?;
    elsewhere.open(ACCOUNT).await?;
    for refused in
        [post(&browser, &wider.field("request")).await?, post(&elsewhere, &sealed).await?]
    {
        assert_eq!(refused.status, 403, "{}", refused.text);
        assert!(!refused.text.contains("ac1_"));
    }
    assert!(!browser.open(&less).await?.field("request").is_empty(), "nothing was agreed to");
    post(&browser, &sealed).await?.expect(200, "but this was")?;
    Ok(())
}
