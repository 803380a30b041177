use crate::html::Html;

/// The one style sheet's source expression in a content security policy.
pub const STYLE_SOURCE: &str = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";

/// A document with everything that they have in common.
pub(crate) fn document(title: &'static str, body: impl FnOnce(&mut Html)) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<title>").raw(title).raw("</title></head><body><main>");
    body(&mut html);
    html.raw("</main></body></html>");
    html.finish()
}
