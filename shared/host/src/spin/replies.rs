//! Redis as Spin's outbound Redis tells of it: answers are flat lists, and errors are the text of the
//! client library that the platform has.

use stores::{CommandError, RedisValue};

/// One answer is itself, anything else a list. The commands of the ledgers never ask for a list that
/// has exactly one member.
pub(super) fn value(mut items: Vec<RedisValue>) -> RedisValue {
    match (items.len(), items.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            items.extend(last);
            RedisValue::Array(items)
        }
    }
}

/// What the library says, told apart: a refusal of Redis comes with the word that Redis begins it
/// with, everything else is an answer that did not come.
pub(super) fn error(text: &str) -> CommandError {
    const KINDS: [(&str, &str); 4] = [
        ("NoScript", "NOSCRIPT"),
        ("BusyLoading", "LOADING"),
        ("TryAgain", "TRYAGAIN"),
        // It has no kind of its own, and its text begins with the word.
        ("BUSY:", "BUSY"),
    ];
    let known =
        KINDS.iter().find(|(kind, word)| text.contains(kind) || text.contains(&format!("{word} ")));
    match known {
        Some((_, word)) => CommandError::Refused(format!("{word} {text}")),
        None => CommandError::Away(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_one_is_its_member() {
        let text = |text: &str| RedisValue::Text(text.to_owned());
        assert_eq!(value(vec![RedisValue::Integer(1)]), RedisValue::Integer(1));
        assert_eq!(value(vec![RedisValue::Nil]), RedisValue::Nil);
        assert_eq!(value(Vec::new()), RedisValue::Array(Vec::new()));
        let three = || vec![text("{}"), text("1-x"), RedisValue::Nil];
        assert_eq!(value(three()), RedisValue::Array(three()));
    }

    #[test]
    fn refusals_are_told_from_outages() {
        for (said, word) in [
            (
                "An error was signalled by the server - NoScriptError: No matching script.",
                "NOSCRIPT",
            ),
            ("NoScript: No matching script. Please use EVAL.", "NOSCRIPT"),
            ("NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT"),
            ("An error was signalled by the server - BusyLoadingError: loading", "LOADING"),
            ("An error was signalled by the server - TryAgain: moving", "TRYAGAIN"),
            ("BUSY: Redis is busy running a script", "BUSY"),
        ] {
            let CommandError::Refused(why) = error(said) else { panic!("{said}") };
            assert!(why.starts_with(word), "{why}");
        }
        for said in ["broken pipe", "Connection refused (os error 111)", ""] {
            assert_eq!(error(said), CommandError::Away(said.to_owned()));
        }
    }
}
