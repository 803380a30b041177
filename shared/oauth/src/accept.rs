//! Which of several media types a client wants: proactive negotiation by the `Accept` header, RFC 9110
//! section 12.5.1.

/// The place in `offers` of the media type that the client likes best. Between equals, and if none is
/// acceptable or nobody said what is, the first one: a client that asks for something odd is better
/// served by the default than by an error (RFC 9110 section 12.4.1).
///
/// Parameters of a media range other than its weight make no difference, as no offer has any. A range
/// that is malformed is ignored by itself.
pub fn preferred(accept: &str, offers: &[&str]) -> usize {
    let ranges: Vec<Range<'_>> = split(accept, ',').filter_map(Range::parse).collect();
    let weights = offers.iter().map(|offer| weight(&ranges, offer)).enumerate();
    // `max_by_key` would take the last of equals.
    weights.fold((0, 0), |best, (at, weight)| if weight > best.1 { (at, weight) } else { best }).0
}

/// One element of the header.
struct Range<'t> {
    kind: &'t str,
    subtype: &'t str,
    /// Thousandths.
    weight: u16,
}

impl<'t> Range<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let mut parts = split(text, ';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let is_token = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        if !is_token(kind) || !is_token(subtype) || (kind == "*" && subtype != "*") {
            return None;
        }
        let weights = parts.filter_map(|part| part.split_once('='));
        let mut weights = weights.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let weight = weights.next().map_or(Some(1000), |(_, value)| thousandths(value.trim()))?;
        Some(Self { kind, subtype, weight })
    }

    /// How closely it describes a media type; `None` if it does not.
    fn closeness(&self, kind: &str, subtype: &str) -> Option<u8> {
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (one, "*") if one.eq_ignore_ascii_case(kind) => Some(1),
            (one, other) => {
                let same = one.eq_ignore_ascii_case(kind) && other.eq_ignore_ascii_case(subtype);
                same.then_some(2)
            }
        }
    }
}

/// The weight of a media type: that of the range that describes it most closely. Zero if none does.
fn weight(ranges: &[Range<'_>], offer: &str) -> u16 {
    let (kind, subtype) = offer.split_once('/').unwrap_or((offer, ""));
    let matching = ranges.iter().filter_map(|range| {
        range.closeness(kind, subtype).map(|closeness| (closeness, range.weight))
    });
    matching.max().map_or(0, |(_, weight)| weight)
}

/// A weight, RFC 9110 section 12.4.2: `0` or `1` with up to three decimals, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1")
        || decimals.len() > 3
        || !decimals.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let weight: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

/// The parts between separators that are not inside a quoted string (RFC 9110 section 5.6.4).
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        let escapes = quoted && !escaped && character == '\\';
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = escapes;
        character == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JWT: &str = "application/token-introspection+jwt";
    const OFFERS: [&str; 2] = ["application/json", JWT];

    #[test]
    fn the_default_is_the_first() {
        for accept in [
            "",
            "*/*",
            "application/*",
            "text/html",
            "application/json",
            "application/json, application/token-introspection+jwt",
            "application/token-introspection+jwt;q=0.5, application/json",
            "application/token-introspection+jwt;q=0.5, */*",
            "application/token-introspection+jwt;q=0",
            "application/token-introspection+jwt;q=0, application/json;q=0",
            "application/token-introspection+jwt;q=2",
            "application/token-introspection+jwt;q=0.1234, */*",
            "application/token-introspection+jwt;q=, */*",
            "text/html;x=\", application/token-introspection+jwt, \"",
            "*/token-introspection+jwt",
            "application/",
            ";;;,,,/",
        ] {
            assert_eq!(preferred(accept, &OFFERS), 0, "{accept}");
        }
    }

    #[test]
    fn i9_the_more_wanted_one_wins() {
        for accept in [
            JWT,
            "Application/Token-Introspection+JWT",
            "  application/token-introspection+jwt  ",
            "application/token-introspection+jwt, application/json;q=0.9",
            "application/json;q=0.9,application/token-introspection+jwt",
            "application/token-introspection+jwt;q=0.2, */*;q=0.1",
            "application/token-introspection+jwt; Q=1.000, application/json;q=0.999",
            "application/json;q=0, */*",
            "text/html, application/token-introspection+jwt;charset=\"a,b;q=0\"",
            "text/html;x=\"\\\"\", application/token-introspection+jwt",
            "nonsense, application/token-introspection+jwt",
        ] {
            assert_eq!(preferred(accept, &OFFERS), 1, "{accept}");
        }
    }

    #[test]
    fn the_closest_range_decides() {
        let accept = "*/*;q=1, application/*;q=0.5, application/json;q=0.1";
        assert_eq!(preferred(accept, &OFFERS), 1);
        assert_eq!(preferred("*/*;q=0.1, text/*;q=0.2", &["text/a", "image/b"]), 0);
        assert_eq!(preferred("*/*;q=0.3, text/*;q=0.2", &["text/a", "image/b"]), 1);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", ascii in "[ -~]*") {
            prop_assert!(preferred(&text, &OFFERS) < 2);
            prop_assert!(preferred(&ascii, &OFFERS) < 2);
            prop_assert_eq!(preferred(&ascii, &[]), 0);
        }
    }
}
