//! What a `User-Agent` tells: the app and the system, without their versions.

/// Longer product names are cut.
const MAX_LENGTH: usize = 60;

/// The app, by a name that stays the same over its updates: a browser, or the first product.
pub(super) fn family(agent: &str) -> Option<String> {
    browser(agent)
        .map(str::to_owned)
        .or_else(|| Some(product(agent)).filter(|name| !name.is_empty()))
}

/// The system, if the text names one that is known. Tablets and phones of one maker are one system.
pub(super) fn system(agent: &str) -> Option<&'static str> {
    place(agent).map(|place| if matches!(place, "iPhone" | "iPad") { "iOS" } else { place })
}

/// The app by the name that people know it by.
pub(super) fn name(agent: &str) -> &str {
    if let Some(browser) = browser(agent) {
        return browser;
    }
    let product = agent.split(ENDS).next().unwrap_or_default();
    APPS.iter().find(|(own, _)| product.eq_ignore_ascii_case(own)).map_or(product, |(_, name)| name)
}

/// The system by the name that people know it by.
pub(super) fn place(agent: &str) -> Option<&'static str> {
    first_of(agent, SYSTEMS)
}

/// Browsers name each other for compatibility, so the more specific product is looked for first.
fn browser(agent: &str) -> Option<&'static str> {
    first_of(agent, BROWSERS)
}

const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
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
    ("win32", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("macOS", "macOS"),
    ("darwin", "macOS"),
    ("Darwin", "macOS"),
    ("Linux", "Linux"),
    ("linux", "Linux"),
];

/// Clients that people know by another name than that of their product.
const APPS: &[(&str, &str)] = &[
    ("claude-code", "Claude Code"),
    ("claude-user", "Claude"),
    ("codex", "Codex"),
    ("codex-cli", "Codex"),
    ("cursor", "Cursor"),
    ("gemini-cli", "Gemini CLI"),
    ("visual-studio-code", "VS Code"),
    ("vscode", "VS Code"),
    ("zed", "Zed"),
];

/// What ends a product's name, RFC 9110 section 10.1.5.
const ENDS: [char; 4] = ['/', ' ', ';', '('];

fn first_of(agent: &str, known: &[(&str, &'static str)]) -> Option<&'static str> {
    known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
}

/// The first product, without its version.
fn product(agent: &str) -> String {
    let name = agent.split(ENDS).next().unwrap_or_default();
    let clean = name.chars().filter(|character| !character.is_control()).take(MAX_LENGTH);
    clean.map(|character| character.to_ascii_lowercase()).collect()
}
