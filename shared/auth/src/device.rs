//! A device by the name that a person would give it.

/// Longer product names are cut.
const MAX_LENGTH: usize = 60;

/// A label for a `User-Agent`: "Firefox on Linux" for browsers, the first product otherwise.
///
/// Browsers name each other for compatibility, so the more specific product is looked for first.
pub fn label(user_agent: Option<&str>) -> String {
    let Some(agent) = user_agent.map(str::trim).filter(|agent| !agent.is_empty()) else {
        return "Unknown device".to_owned();
    };
    match (first_of(agent, BROWSERS), first_of(agent, SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => product(agent),
    }
}

const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Electron/", "Desktop app"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

fn first_of(agent: &str, known: &[(&str, &'static str)]) -> Option<&'static str> {
    known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
}

/// The first product of RFC 9110 section 10.1.5, without its version.
fn product(agent: &str) -> String {
    let name = agent.split(['/', ' ', ';', '(']).next().unwrap_or_default();
    let clean: String = name.chars().filter(|c| !c.is_control()).take(MAX_LENGTH).collect();
    if clean.is_empty() { "Unknown device".to_owned() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_with_their_system() {
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, expected) in [
            (format!("{mac} Chrome/141.0.0.0 Safari/537.36"), "Chrome on macOS"),
            (format!("{mac} Chrome/141.0.0.0 Safari/537.36 Edg/141.0"), "Edge on macOS"),
            (format!("{mac} Version/18.0 Safari/605.1.15"), "Safari on macOS"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(), "Firefox on Linux"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/141 Mobile Safari/604.1".to_owned(), "Chrome on iPhone"),
        ] {
            assert_eq!(label(Some(&agent)), expected, "{agent}");
        }
    }

    #[test]
    fn other_products_go_by_their_first_name() {
        assert_eq!(label(Some("curl/8.5.0")), "curl");
        assert_eq!(label(Some("claude-code/2.1 (cli)")), "claude-code");
        assert_eq!(label(Some(&"x".repeat(500))).len(), MAX_LENGTH);
        assert_eq!(label(Some("  ")), "Unknown device");
        assert_eq!(label(Some("/;")), "Unknown device");
        assert_eq!(label(None), "Unknown device");
    }
}
