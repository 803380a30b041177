use crate::client::{Client, Origin};
use crate::html::Html;
use crate::layout::{Head, document};
use crate::place::Place;
use crate::words;

/// What a person is asked: may this application act for them?
#[derive(Debug, Clone, Copy)]
pub struct ConsentPage<'a> {
    /// Who asks.
    pub client: Client<'a>,
    /// What for.
    pub scopes: &'a [String],
    /// Where the answer goes.
    pub redirect_uri: &'a str,
    /// Who is asked, by their e-mail address if it is known.
    pub person: Option<&'a str>,
    /// The request that is answered, sealed; the form's field `request`.
    pub request: &'a str,
    /// The form's field `csrf`.
    pub csrf: &'a str,
}

/// The page. Its form is posted to `/oauth/consent` with the fields `request`, `csrf` and `decision`,
/// which is `allow` or `deny`. Nothing that the application says of itself stands where we speak.
pub fn consent(page: &ConsentPage<'_>) -> String {
    document("Allow access?", &Head::default(), |html| {
        html.raw("<h1>Allow ").name(page.client.shown()).raw(" to use your account?</h1>");
        if let Some(person) = page.person {
            html.raw("<p>You are signed in as <strong>").apart(person).raw("</strong>.</p>");
        }
        html.raw("<section aria-labelledby=\"may\"><h2 id=\"may\">It will be able to</h2>");
        words::permissions(html, page.scopes);
        html.raw("</section><section aria-labelledby=\"who\"><h2 id=\"who\">Who is asking</h2>");
        who(html, page);
        html.raw("</section>");
        answer(html, page);
        html.raw("<p class=\"small\">You can take it back at any time in ");
        html.raw("<a href=\"/account\">your account</a>.</p>");
    })
}

fn who(html: &mut Html, page: &ConsentPage<'_>) {
    let place = Place::of(page.redirect_uri);
    html.raw("<dl><div><dt>");
    html.raw(match page.client.origin {
        Origin::Registered => "Application",
        Origin::Dynamic | Origin::Document => "Calls itself",
    });
    html.raw("</dt><dd>").name(page.client.shown()).raw("</dd></div>");
    if let Some(host) = page.client.host() {
        html.raw("<div><dt>Described by</dt><dd>").apart(host).raw("</dd></div>");
    }
    html.raw("<div><dt>Answer goes to</dt><dd><bdi>");
    match place {
        Place::ThisComputer => html.raw("this computer"),
        Place::Site(host) => html.text(host),
        Place::App(scheme) => html.raw("an application on this device (").text(scheme).raw(":)"),
    };
    html.raw("</bdi></dd></div></dl>");
    caution(html, &page.client, place);
}

/// What we know of the application, and what the person has to know themselves.
fn caution(html: &mut Html, client: &Client<'_>, place: Place<'_>) {
    match (client.origin, client.host()) {
        (Origin::Registered, _) => {
            html.raw(
                "<p class=\"note\">This application is registered by the operators of Atoms.</p>",
            );
        }
        (Origin::Document, Some(host)) => {
            html.raw(
                "<p class=\"note warn\"><strong>We have not verified this application.</strong> ",
            );
            html.raw("All we know is that ").apart(host).raw(" describes it.");
            if matches!(place, Place::Site(site) if site != host) {
                html.raw(" The answer goes to another site.");
            }
            html.raw(" Allow it only if you trust ");
            html.raw("that site.</p>");
        }
        (Origin::Dynamic | Origin::Document, _) => {
            html.raw(
                "<p class=\"note warn\"><strong>We have not verified this application.</strong> ",
            );
            html.raw("It registered itself, and anyone can register under this name.</p>");
        }
    }
    if !matches!(place, Place::Site(_)) {
        html.raw(
            "<p class=\"note warn\"><strong>Did you start this?</strong> The answer goes to a ",
        );
        html.raw("program on this device. Allow it only if you have just started it yourself.</p>");
    }
}

fn answer(html: &mut Html, page: &ConsentPage<'_>) {
    html.raw("<form method=\"post\" action=\"/oauth/consent\" class=\"answer\">");
    html.hidden("request", page.request).hidden("csrf", page.csrf);
    html.raw("<button name=\"decision\" value=\"allow\" class=\"primary\">Allow</button>");
    html.raw("<button name=\"decision\" value=\"deny\">Deny</button></form>");
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: ConsentPage<'_> = ConsentPage {
        client: Client {
            id: "https://claude.ai/oauth/claude-code-client-metadata",
            name: "Claude Code",
            origin: Origin::Document,
        },
        scopes: &[],
        redirect_uri: "http://127.0.0.1:52111/callback",
        person: Some("ada@example.com"),
        request: "sealed",
        csrf: "1.token",
    };

    #[test]
    fn it_says_who_asks_and_where_the_answer_goes() {
        let page = consent(&PAGE);
        for part in [
            "Allow <bdi>Claude Code</bdi>",
            "<bdi>ada@example.com</bdi>",
            "<dd><bdi>claude.ai</bdi></dd>",
            "<dd><bdi>this computer</bdi></dd>",
            "Did you start this?",
            "name=\"request\" value=\"sealed\"",
            "name=\"csrf\" value=\"1.token\"",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn a_site_that_is_not_the_one_that_describes_it_is_told() {
        let elsewhere = "The answer goes to another site";
        let to = |redirect_uri| consent(&ConsentPage { redirect_uri, ..PAGE });
        assert!(to("https://evil.example/cb").contains(elsewhere));
        assert!(!to("https://claude.ai/cb").contains(elsewhere));
    }

    #[test]
    fn anybody_can_take_a_name() {
        let client = Client { id: "c_1", name: "Claude", origin: Origin::Dynamic };
        let page = consent(&ConsentPage { client, ..PAGE });
        assert!(page.contains("anyone can register under this name"));
        let ours = Client { origin: Origin::Registered, ..client };
        assert!(!consent(&ConsentPage { client: ours, ..PAGE }).contains("have not verified"));
    }

    #[test]
    fn no_name_is_markup() {
        let name = "</bdi><script>alert(1)</script><form action=https://evil.example>";
        let client = Client { id: name, name, origin: Origin::Dynamic };
        let page = consent(&ConsentPage {
            client,
            scopes: &["<img src=x>".to_owned()],
            redirect_uri: "x<script>:\"'>",
            person: Some("\"><svg onload=alert(1)>"),
            request: "\"><b>",
            csrf: "'><b>",
        });
        for markup in ["<script", "<img", "<svg o", "<b>", "<form action=h"] {
            assert!(!page.contains(markup), "{markup}");
        }
    }
}
