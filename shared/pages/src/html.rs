//! HTML that is escaped by construction.

/// Characters of a name that are shown.
const MAX_NAME: usize = 64;

/// A document in the making. Markup is `&'static str`, which only our sources can have; everything else
/// is text, and is escaped wherever it stands.
#[derive(Default)]
pub struct Html(String);

impl Html {
    /// Markup of ours.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text of anybody, between tags or within a quoted attribute. Characters that cannot be seen and
    /// change how others look are shown as U+FFFD, so that no name reads other than it is written.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other if deceives(other) => self.0.push(char::REPLACEMENT_CHARACTER),
                other => self.0.push(other),
            }
        }
        self
    }

    /// Text of others, kept apart from the words around it whatever the direction of its letters is.
    pub fn apart(&mut self, text: &str) -> &mut Self {
        self.raw("<bdi>").text(text).raw("</bdi>")
    }

    /// The name that an application gives itself, as [`apart`](Self::apart), and cut where it stops to
    /// be a name and begins to speak. Not for a host: what matters of that is its end.
    pub fn name(&mut self, name: &str) -> &mut Self {
        match name.char_indices().nth(MAX_NAME) {
            Some((end, _)) => self.raw("<bdi>").text(&name[..end]).raw("…</bdi>"),
            None => self.apart(name),
        }
    }

    /// A number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.text(&number.to_string())
    }

    /// An attribute `name="value"` with a space before it.
    pub fn attribute(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").text(value).raw("\"")
    }

    /// A form's field that is not shown.
    pub fn hidden(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.raw("<input type=\"hidden\" name=\"").raw(name).raw("\"");
        self.attribute("value", value).raw(">")
    }

    /// The document.
    pub fn finish(self) -> String {
        self.0
    }
}

/// Controls, marks of direction, and the invisible copies of ASCII (Unicode TR 36 section 3).
const fn deceives(character: char) -> bool {
    matches!(character,
        '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> String {
        let mut html = Html::default();
        html.text(text);
        html.finish()
    }

    #[test]
    fn what_has_a_meaning_in_html_loses_it() {
        assert_eq!(
            of("<script>alert('1')</script> & \"x\""),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;"
        );
        assert_eq!(of("Grüße, 世界 👩‍🚀"), "Grüße, 世界 👩‍🚀", "the rest is as it was");
    }

    #[test]
    fn a_name_does_not_become_a_speech() {
        let mut html = Html::default();
        html.name(&"ü".repeat(65));
        assert_eq!(html.finish(), format!("<bdi>{}…</bdi>", "ü".repeat(64)));
    }

    #[test]
    fn what_is_not_seen_is_shown() {
        assert_eq!(of("a\u{202e}moc.live\u{2066}\0"), "a\u{fffd}moc.live\u{fffd}\u{fffd}");
        assert_eq!(of("Claude\u{200b}\u{e0041}"), "Claude\u{fffd}\u{fffd}");
    }

    #[test]
    fn fields_are_quoted() {
        let mut html = Html::default();
        html.hidden("csrf", "\"><b>");
        assert_eq!(
            html.finish(),
            "<input type=\"hidden\" name=\"csrf\" value=\"&quot;&gt;&lt;b&gt;\">"
        );
    }

    proptest! {
        #[test]
        fn no_text_is_markup(text in "\\PC*") {
            let escaped = of(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
        }
    }
}
