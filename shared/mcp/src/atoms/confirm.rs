//! Whether a deletion is meant. A caller says so by an argument; a client that can ask its person is
//! given the question, with what would go, and calls again with the answer.

use ports::{Clock, Random};
use serde_json::{Value, json};

use super::check::fault;
use super::kind::members;
use super::operation::Effect;
use super::run::{Failure, Running};
use super::store::Store;
use crate::Outcome;

/// The key of the question, and the member of its answer.
const CONFIRM: &str = "confirm";
/// What comes back with the answer.
const ASKED: &str = "confirm";

/// What to ask before the operation happens, if anything.
pub(crate) async fn question<S: Store, P: Clock + Random>(
    running: &Running<'_, S, P>,
) -> Result<Option<Outcome>, Failure> {
    let (arguments, call) = (running.arguments, running.call);
    let certain = arguments.flag("dry_run") || arguments.flag("confirm");
    if running.operation.effect != Effect::Delete || certain {
        return Ok(None);
    }
    if call.state() == Some(ASKED)
        && let Some(answer) = call.input(CONFIRM)
    {
        let agreed = answer["action"] == "accept" && answer["content"][CONFIRM] == true;
        return if agreed { Ok(None) } else { Err(declined()) };
    }
    if !call.client_can("elicitation") {
        let advice = "is missing. Ask the person whether this is to be deleted for good and, if so, \
            call again with true; dry_run tells what would be deleted.";
        return Err(Failure::Refused(fault("confirm", advice)));
    }
    // Who may not delete it, or names nothing, need not be asked.
    let preview = running.with_arguments(&arguments.with_flag("dry_run")).run().await?;
    let text = words(&preview["deleted"]);
    let form = json!({
        "type": "object",
        "properties": { CONFIRM: { "type": "boolean", "title": "Delete for good" } },
        "required": [CONFIRM],
    });
    let params = json!({ "mode": "form", "message": text, "requestedSchema": form });
    let requests = json!({ CONFIRM: { "method": "elicitation/create", "params": params } });
    Ok(Some(Outcome::Ask { requests: members(requests), state: Some(ASKED.to_owned()) }))
}

fn declined() -> Failure {
    Failure::Refused("The person has not agreed. Nothing was deleted.".to_owned())
}

/// The question about what a dry run would delete.
fn words(deleted: &Value) -> String {
    let title: String = deleted["title"].as_str().unwrap_or_default().chars().take(200).collect();
    let contents = deleted["contents"].as_object();
    let contents: Vec<_> =
        contents.into_iter().flatten().map(|(what, count)| format!("{count} {what}")).collect();
    let with =
        if contents.is_empty() { String::new() } else { format!(" with {}", contents.join(", ")) };
    format!("Delete \u{201c}{title}\u{201d}{with}? This cannot be undone.")
}
