use crate::layout::{Head, document};
use crate::place::{Place, is_safe};

/// The way back to the application, after a person has answered.
#[derive(Debug, Clone, Copy)]
pub struct ReturningPage<'a> {
    /// The application.
    pub client: &'a str,
    /// Where to: the redirect URI with the answer in its query.
    pub location: &'a str,
    /// Whether they have allowed it.
    pub allowed: bool,
}

/// The page: it goes on by itself, and has a link where a browser does not.
///
/// It takes the place of a redirect. Chromium holds every redirect after a form was posted against the
/// policy `form-action` of the form's page, so that page would have to list the client's origin, which
/// fails for clients that redirect once more, and for loopback addresses of IPv6, which no policy can
/// name. A page that goes on by itself is a navigation of its own.
pub fn returning(page: &ReturningPage<'_>) -> String {
    let safe = is_safe(page.location);
    let head = Head { refresh: safe.then_some(page.location), ..Head::default() };
    document("Going back", &head, |html| {
        html.raw(if page.allowed { "<h1>Access allowed</h1>" } else { "<h1>Access denied</h1>" });
        html.raw("<p>You are on your way back to <strong>").name(page.client).raw("</strong>.</p>");
        if safe {
            html.raw("<p><a class=\"button primary\"").attribute("href", page.location);
            html.raw(" rel=\"noreferrer\">Continue</a></p>");
        }
        if !matches!(Place::of(page.location), Place::Site(_)) {
            html.raw("<p class=\"small\">Once the application has taken over you can close this ");
            html.raw("window.</p>");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(location: &str) -> String {
        returning(&ReturningPage { client: "Claude", location, allowed: true })
    }

    #[test]
    fn it_goes_on_by_itself_and_by_a_link() {
        let page = to("http://127.0.0.1:5/cb?code=ac1_x&state=\"y\"");
        let escaped = "http://127.0.0.1:5/cb?code=ac1_x&amp;state=&quot;y&quot;";
        assert!(page.contains(&format!("content=\"0; url={escaped}\"")));
        assert!(page.contains(&format!("href=\"{escaped}\"")));
    }

    #[test]
    fn it_runs_nothing() {
        let page = to("javascript:alert(1)");
        assert!(!page.contains("http-equiv") && !page.contains("href"));
    }
}
