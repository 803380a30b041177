use crate::layout::{Head, document};

/// Why a person does not get any further, where there is nowhere safe to send them back to.
#[derive(Debug, Clone, Copy)]
pub struct ErrorPage<'a> {
    /// What is wrong, in a few words.
    pub title: &'a str,
    /// What it means and what to do.
    pub detail: &'a str,
    /// The error's code in the protocol, for whoever maintains the application.
    pub code: Option<&'a str>,
}

/// The page.
pub fn error(page: &ErrorPage<'_>) -> String {
    document("That did not work", &Head::default(), |html| {
        html.raw("<h1>").text(page.title).raw("</h1><p>").text(page.detail).raw("</p>");
        if let Some(code) = page.code {
            html.raw("<p class=\"small\">For the people who make the application: <code>");
            html.text(code).raw("</code></p>");
        }
    })
}
