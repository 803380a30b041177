use crate::client::Client;
use crate::layout;

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
/// which is `allow` or `deny`.
pub fn consent(page: &ConsentPage<'_>) -> String {
    layout::document("Allow access?", |html| {
        html.raw("<h1>").text(page.client.name).raw(" wants access</h1><ul>");
        for scope in page.scopes {
            html.raw("<li>").text(scope).raw("</li>");
        }
        html.raw("</ul><p>").text(page.redirect_uri).raw("</p>");
        html.raw("<p>").text(page.person.unwrap_or_default()).raw("</p>");
        html.raw("<form method=\"post\" action=\"/oauth/consent\">");
        html.raw("<input type=\"hidden\" name=\"request\" value=\"").text(page.request).raw("\">");
        html.raw("<input type=\"hidden\" name=\"csrf\" value=\"").text(page.csrf).raw("\">");
        html.raw("<button name=\"decision\" value=\"deny\">Deny</button>");
        html.raw("<button name=\"decision\" value=\"allow\">Allow</button></form>");
    })
}
