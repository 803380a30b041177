use crate::html::Html;

const STYLE: &str = include_str!("style.css");

/// The content security policy of all pages: nothing but the one style sheet, by the digest of its text;
/// forms go to us alone; no frame may hold a page.
pub const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-iUqhQz7yX9vhunKQSMtRgZ6/yEiVi2KiUED8yHOFLII='; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What goes into the head of one page beside what all have.
#[derive(Default)]
pub(crate) struct Head<'a> {
    /// Where the browser goes on to by itself.
    pub(crate) refresh: Option<&'a str>,
    /// Whether there is much to see.
    pub(crate) wide: bool,
}

/// A document with everything that all have in common. The title is what a screen reader reads first and
/// what a tab shows.
pub(crate) fn document(
    title: &'static str,
    head: &Head<'_>,
    body: impl FnOnce(&mut Html),
) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">");
    html.raw("<meta name=\"robots\" content=\"noindex\">");
    if let Some(location) = head.refresh {
        html.raw("<meta http-equiv=\"refresh\" content=\"0; url=").text(location).raw("\">");
    }
    html.raw("<title>").raw(title).raw(" – Atoms</title><style>").raw(STYLE).raw("</style></head>");
    html.raw(if head.wide { "<body class=\"wide\">" } else { "<body>" });
    html.raw(BRAND).raw("<main>");
    body(&mut html);
    html.raw("</main></body></html>");
    html.finish()
}

const BRAND: &str = "<header><svg viewBox=\"0 0 32 32\" width=\"28\" height=\"28\" aria-hidden=\"true\">\
    <g fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.8\">\
    <ellipse cx=\"16\" cy=\"16\" rx=\"14\" ry=\"5.6\"/>\
    <ellipse cx=\"16\" cy=\"16\" rx=\"14\" ry=\"5.6\" transform=\"rotate(60 16 16)\"/>\
    <ellipse cx=\"16\" cy=\"16\" rx=\"14\" ry=\"5.6\" transform=\"rotate(120 16 16)\"/></g>\
    <circle cx=\"16\" cy=\"16\" r=\"2.6\" fill=\"currentColor\"/></svg><span>Atoms</span></header>";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_names_the_style_sheet() {
        let digest = BASE64.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("style-src 'sha256-{digest}';")), "{digest}");
    }

    #[test]
    fn the_style_sheet_loads_nothing_and_cannot_end_early() {
        for word in ["url(", "@import", "</", "<!--"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
