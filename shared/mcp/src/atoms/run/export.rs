//! Entities as one text. Pages are read until there is enough; whoever asked for progress is told of
//! each.

use ports::{Clock, Random};
use serde_json::{Value, json};

use super::query::filter;
use super::{Content, Running, as_json, one};
use crate::atoms::store::{Entity, Export, Store, Window};

/// How many entities an answer holds.
const MOST: usize = 1000;
/// How many are read at once.
const PAGE: usize = 100;
/// An answer that is longer than this, in bytes, is not made longer by another page.
const LONG: usize = 2 << 20;

/// The columns of tables, by their names in an entity.
const COLUMNS: [&str; 14] = [
    "id",
    "type",
    "project_id",
    "parent_id",
    "external_id",
    "title",
    "description",
    "status",
    "priority",
    "kind",
    "created_by",
    "created_at",
    "updated_at",
    "version",
];

pub(super) async fn results<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let filter = filter(of);
    let mut window = Window { limit: PAGE, after: of.arguments.text("cursor") };
    let mut rows: Vec<Value> = Vec::new();
    let mut length = 0;
    let next = loop {
        let part = of.store.list_entities(of.call.principal, &filter, &window).await?;
        for entity in &part.items {
            length += weight(entity);
            rows.push(as_json(entity)?);
        }
        of.call.progress(rows.len(), MOST, "entities read");
        match part.next {
            Some(next) if rows.len() + PAGE <= MOST && length < LONG => window.after = Some(next),
            next => break next,
        }
    };
    let format = of.arguments.given("format");
    let content = match format.as_str() {
        "csv" => table(&rows, |cells| format!("{}\r\n", cells.join(",")), csv),
        "markdown" => markdown_table(&rows),
        _ => Value::Array(rows.clone()).to_string(),
    };
    let mut answer = one("export", &Export { format, rows: rows.len(), content })?;
    if let Some(next) = next {
        answer.insert("next_cursor".to_owned(), json!(next));
    }
    Ok(answer)
}

/// About how long an entity is as text.
fn weight(entity: &Entity) -> usize {
    entity.title.len() + entity.description.as_ref().map_or(0, String::len) + 300
}

fn table(
    rows: &[Value],
    line: impl Fn(Vec<String>) -> String,
    cell: impl Fn(&str) -> String,
) -> String {
    let head = line(COLUMNS.map(str::to_owned).to_vec());
    let lines =
        rows.iter().map(|row| line(COLUMNS.map(|column| cell(&plain(&row[column]))).to_vec()));
    std::iter::once(head).chain(lines).collect()
}

fn markdown_table(rows: &[Value]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let all = table(rows, line, markdown);
    let rule = line(vec!["---".to_owned(); COLUMNS.len()]);
    match all.split_once('\n') {
        Some((head, rest)) => format!("{head}\n{rule}{rest}"),
        None => all,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// RFC 4180. What a spreadsheet would take for a formula is made a text by an apostrophe.
fn csv(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn markdown(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace("\r\n", " ").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_leave_their_cell() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("-2,3", "\"'-2,3\""),
        ] {
            assert_eq!(csv(text), expected);
        }
        assert_eq!(markdown("a|b\r\nc\\"), "a\\|b c\\\\");
    }

    #[test]
    fn tables_have_a_head() {
        assert!(table(&[], |cells| cells.join(","), csv).starts_with("id,type,"));
        let lines = markdown_table(&[json!({ "id": "1", "version": 2 })]);
        assert_eq!(lines.lines().count(), 3);
        assert!(lines.lines().nth(1).is_some_and(|rule| rule.starts_with("| --- |")));
    }
}
