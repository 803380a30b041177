//! The types of entities: which fields each has, and what may be in them.

use serde_json::Value;

use super::check;
use super::{Error, Object};

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum EntityType {
    Project,
    Document,
    Block,
    Requirement,
    TestCase,
    TestRun,
    Task,
    /// Found by searches and graphs; made and changed by [`super::workflows`].
    Workflow,
}

use EntityType::{Block, Document, Project, Requirement, Task, TestCase, TestRun, Workflow};

/// All types that entities are made of.
pub(crate) const ALL: &[EntityType] =
    &[Project, Document, Block, Requirement, TestCase, TestRun, Task, Workflow];

impl EntityType {
    /// Its word in queries and answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Project => "project",
            Document => "document",
            Block => "block",
            Requirement => "requirement",
            TestCase => "test_case",
            TestRun => "test_run",
            Task => "task",
            Workflow => "workflow",
        }
    }

    /// The type of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        ALL.iter().copied().find(|one| one.word() == word)
    }

    /// The words of where it can stand; none for blocks.
    #[must_use]
    pub fn statuses(self) -> &'static [&'static str] {
        self.words("status")
    }

    /// The words of the kinds of it that there are.
    #[must_use]
    pub fn kinds(self) -> &'static [&'static str] {
        self.words("kind")
    }

    fn words(self, name: &str) -> &'static [&'static str] {
        match self.field(name).map(|field| &field.form) {
            Some(Form::Word(words)) => words,
            _ => &[],
        }
    }

    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Project => PROJECT,
            Document => DOCUMENT,
            Block => BLOCK,
            Requirement => REQUIREMENT,
            TestCase => TEST_CASE,
            TestRun => TEST_RUN,
            Task => TASK,
            Workflow => WORKFLOW,
        }
    }

    fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name() == name)
    }
}

/// A field of an entity.
pub(crate) struct Field {
    /// As callers know it.
    pub(crate) path: &'static str,
    form: Form,
    /// Whether its value can be taken away.
    nullable: bool,
}

impl Field {
    /// Without the object that it is in.
    pub(crate) fn name(&self) -> &'static str {
        self.path.strip_prefix(DETAILS).unwrap_or(self.path)
    }

    /// Whether it is in the details.
    pub(crate) fn detail(&self) -> bool {
        self.path.starts_with(DETAILS)
    }
}

const DETAILS: &str = "details.";

/// What may be in a field.
enum Form {
    Line(usize),
    Text(usize),
    Word(&'static [&'static str]),
    /// Any of these, each once.
    Words(&'static [&'static str]),
    External,
    Integer(i64, i64),
    /// Above zero.
    Position,
    Date,
    Moment,
    Id,
    /// Within so many bytes.
    Object(usize),
    /// Of objects, within so many bytes.
    Array(usize),
}

const fn must(path: &'static str, form: Form) -> Field {
    Field { path, form, nullable: false }
}

const fn may(path: &'static str, form: Form) -> Field {
    Field { path, form, nullable: true }
}

const TITLE: Field = must("title", Form::Line(300));
const EXTERNAL: Field = may("external_id", Form::External);
const PRIORITY: Field = must("priority", Form::Word(&["low", "medium", "high", "critical"]));
const ATTRIBUTES: Field = must("attributes", Form::Object(check::MOST_ATTRIBUTES));

const PROJECT: &[Field] = &[
    must("title", Form::Line(200)),
    may("description", Form::Text(4000)),
    must("status", Form::Word(&["planned", "active", "on_hold", "completed", "archived"])),
    ATTRIBUTES,
];
const DOCUMENT: &[Field] = &[
    TITLE,
    may("description", Form::Text(4000)),
    must("kind", Form::Word(&["specification", "design", "plan", "report", "note", "other"])),
    must("status", Form::Word(&["draft", "in_review", "approved", "obsolete"])),
    EXTERNAL,
    ATTRIBUTES,
];
const BLOCK: &[Field] = &[
    may("description", Form::Text(100_000)),
    must("kind", Form::Word(&["heading", "text", "list", "table", "code", "image", "requirement"])),
    may("details.level", Form::Integer(1, 6)),
    must("details.position", Form::Position),
    ATTRIBUTES,
];
const REQUIREMENT: &[Field] = &[
    TITLE,
    may("description", Form::Text(10_000)),
    must(
        "kind",
        Form::Word(&[
            "functional",
            "performance",
            "interface",
            "security",
            "safety",
            "usability",
            "reliability",
            "constraint",
            "regulatory",
            "other",
        ]),
    ),
    PRIORITY,
    must(
        "status",
        Form::Word(&[
            "draft",
            "in_review",
            "approved",
            "rejected",
            "in_progress",
            "implemented",
            "verified",
            "obsolete",
        ]),
    ),
    EXTERNAL,
    may("details.block_id", Form::Id),
    may("details.rationale", Form::Text(10_000)),
    may("details.acceptance_criteria", Form::Text(10_000)),
    must("details.level", Form::Word(&["stakeholder", "system", "subsystem", "component"])),
    may(
        "details.ears_pattern",
        Form::Word(&[
            "ubiquitous",
            "event_driven",
            "state_driven",
            "optional_feature",
            "unwanted_behaviour",
            "complex",
        ]),
    ),
    may("details.ears_feature", Form::Text(2000)),
    may("details.ears_state", Form::Text(2000)),
    may("details.ears_trigger", Form::Text(2000)),
    may("details.ears_system", Form::Text(300)),
    may("details.ears_response", Form::Text(5000)),
    may(
        "details.verification_method",
        Form::Word(&["inspection", "analysis", "demonstration", "test"]),
    ),
    must(
        "details.incose_met",
        Form::Words(&[
            "necessary",
            "appropriate",
            "unambiguous",
            "complete",
            "singular",
            "feasible",
            "verifiable",
            "correct",
            "conforming",
        ]),
    ),
    may("details.incose_score", Form::Integer(0, 100)),
    must("details.incose_findings", Form::Array(check::MOST_ATTRIBUTES)),
    ATTRIBUTES,
];
const TEST_CASE: &[Field] = &[
    TITLE,
    may("description", Form::Text(10_000)),
    must(
        "kind",
        Form::Word(&[
            "unit",
            "integration",
            "system",
            "acceptance",
            "performance",
            "security",
            "regression",
        ]),
    ),
    PRIORITY,
    must("status", Form::Word(&["draft", "ready", "approved", "deprecated"])),
    EXTERNAL,
    may("details.preconditions", Form::Text(10_000)),
    must("details.steps", Form::Array(65_536)),
    must("details.method", Form::Word(&["manual", "automated"])),
    ATTRIBUTES,
];
const TEST_RUN: &[Field] = &[
    may("description", Form::Text(10_000)),
    must("status", Form::Word(&["planned", "running", "passed", "failed", "blocked", "skipped"])),
    may("details.environment", Form::Text(300)),
    may("details.build", Form::Text(300)),
    must("details.results", Form::Array(65_536)),
    may("details.started_at", Form::Moment),
    may("details.finished_at", Form::Moment),
    ATTRIBUTES,
];
const TASK: &[Field] = &[
    TITLE,
    may("description", Form::Text(10_000)),
    PRIORITY,
    must("status", Form::Word(&["open", "in_progress", "blocked", "done", "cancelled"])),
    EXTERNAL,
    may("details.due_on", Form::Date),
    may("details.estimate", Form::Integer(0, 1_000_000)),
    ATTRIBUTES,
];
const WORKFLOW: &[Field] = &[
    must("title", Form::Line(200)),
    may("description", Form::Text(4000)),
    must("status", Form::Word(&["draft", "active", "paused", "retired"])),
    ATTRIBUTES,
];

/// Judge the members of `given`, which have the names of fields, by the type.
pub(crate) fn judge(of: EntityType, given: &Object) -> Result<(), Error> {
    for (name, value) in given {
        match of.field(name) {
            Some(field) => fits(field, value)?,
            None => return Err(Error::invalid(path(name), stranger(of))),
        }
    }
    Ok(())
}

/// Judge them by all types: each must fit one. The type itself is known to the database alone.
pub(crate) fn judge_any(given: &Object) -> Result<(), Error> {
    for (name, value) in given {
        let mut verdict = Err(Error::invalid(path(name), foreign(name)));
        for of in ALL {
            if let Some(field) = of.field(name) {
                verdict = fits(field, value);
                if verdict.is_ok() {
                    break;
                }
            }
        }
        verdict?;
    }
    Ok(())
}

/// The field of that name as callers know it; that of the details where there is none.
fn path(name: &str) -> &'static str {
    let found = ALL.iter().find_map(|of| of.field(name));
    found.map_or("details", |field| field.path)
}

/// Of what no type has.
fn foreign(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("must not have `{shown}`: no type has it")
}

fn stranger(of: EntityType) -> String {
    let known: Vec<_> = of.fields().iter().map(|field| field.path).collect();
    format!("is no field of a {}, which has: {}", of.word().replace('_', " "), known.join(", "))
}

fn fits(field: &Field, value: &Value) -> Result<(), Error> {
    let path = field.path;
    match (&field.form, value) {
        (_, Value::Null) if field.nullable => Ok(()),
        (Form::Line(most), Value::String(text)) => check::line(text, *most, path),
        (Form::Text(most), Value::String(text)) => check::text(text, *most, path),
        (Form::Word(words), Value::String(word)) => check::word(word, words, path),
        (Form::External, Value::String(text)) => check::external_id(text, path),
        (Form::Date, Value::String(text)) => check::date(text, path),
        (Form::Moment, Value::String(text)) => check::moment(text, path),
        (Form::Id, Value::String(text)) => check::uuid(text, path).map(drop),
        (Form::Integer(least, most), Value::Number(number)) => {
            if number.as_i64().is_some_and(|number| (*least..=*most).contains(&number)) {
                return Ok(());
            }
            Err(Error::invalid(path, format!("must be an integer from {least} to {most}")))
        }
        (Form::Position, Value::Number(number)) => {
            if number.as_f64().is_some_and(|number| number > 1e-9 && number < 1e14) {
                return Ok(());
            }
            Err(Error::invalid(path, "must be a number above 0"))
        }
        (Form::Words(words), Value::Array(given)) => each_once(words, given, path),
        (Form::Object(most), Value::Object(object)) => check::object(object, *most, path),
        (Form::Array(most), Value::Array(all)) => {
            if !all.iter().all(Value::is_object) {
                return Err(Error::invalid(path, "must be an array of objects"));
            }
            check::json(value, *most, path)
        }
        (form, _) => Err(Error::invalid(path, form.wanted())),
    }
}

fn each_once(words: &[&str], given: &[Value], path: &'static str) -> Result<(), Error> {
    for (at, one) in given.iter().enumerate() {
        check::word(one.as_str().unwrap_or_default(), words, path)?;
        if given[..at].contains(one) {
            return Err(Error::invalid(path, "must have each word once"));
        }
    }
    Ok(())
}

impl Form {
    /// To follow the field's name.
    fn wanted(&self) -> &'static str {
        match self {
            Self::Line(_) | Self::Text(_) | Self::Word(_) | Self::External | Self::Id => {
                "must be a string"
            }
            Self::Date | Self::Moment => "must be a string with a date",
            Self::Words(_) | Self::Array(_) => "must be an array",
            Self::Integer(..) => "must be an integer",
            Self::Position => "must be a number",
            Self::Object(_) => "must be an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(of: EntityType, given: Value) -> Option<&'static str> {
        let Value::Object(given) = given else { panic!("no object") };
        match judge(of, &given) {
            Ok(()) => None,
            Err(Error::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn words_lead_to_types_and_back() {
        for of in ALL {
            assert_eq!(EntityType::from_word(of.word()), Some(*of));
        }
        assert_eq!(EntityType::from_word("user"), None);
        assert_eq!(Task.statuses()[0], "open");
        assert_eq!(Block.statuses(), [""; 0]);
    }

    #[test]
    fn what_fits_is_let_through() {
        let requirement = json!({
            "title": "T", "description": null, "status": "draft", "priority": "low",
            "incose_met": ["complete"], "incose_score": 100, "incose_findings": [{}],
            "level": "system", "external_id": "R-1", "attributes": { "a": 1 },
        });
        assert_eq!(judged(Requirement, requirement), None);
        let run =
            json!({ "status": "passed", "started_at": "2026-11-21T08:00:00Z", "results": [] });
        assert_eq!(judged(TestRun, run), None);
        assert_eq!(judged(Block, json!({ "kind": "heading", "level": 1, "position": 1.5 })), None);
        assert_eq!(judged(Task, json!({ "due_on": "2026-12-24", "estimate": 5 })), None);
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        for (of, given, field) in [
            (Task, json!({ "title": 1 }), "title"),
            (Task, json!({ "title": null }), "title"),
            (Task, json!({ "title": "x".repeat(301) }), "title"),
            (Task, json!({ "status": "draft" }), "status"),
            (Task, json!({ "estimate": 1.5 }), "details.estimate"),
            (Task, json!({ "estimate": "1" }), "details.estimate"),
            (Task, json!({ "due_on": "tomorrow" }), "details.due_on"),
            (Task, json!({ "rationale": "x" }), "details.rationale"),
            (Task, json!({ "drop table": "x" }), "details"),
            (Task, json!({ "attributes": [] }), "attributes"),
            (Task, json!({ "attributes": { "a": "\0" } }), "attributes"),
            (Task, json!({ "description": "a\0b" }), "description"),
            (Block, json!({ "title": "x" }), "title"),
            (Block, json!({ "status": "draft" }), "status"),
            (Block, json!({ "description": "x".repeat(10 << 20) }), "description"),
            (Block, json!({ "level": 7 }), "details.level"),
            (Block, json!({ "position": 0 }), "details.position"),
            (Requirement, json!({ "level": 3 }), "details.level"),
            (Requirement, json!({ "block_id": "x" }), "details.block_id"),
            (Requirement, json!({ "incose_met": ["nice"] }), "details.incose_met"),
            (Requirement, json!({ "incose_met": ["correct", "correct"] }), "details.incose_met"),
            (Requirement, json!({ "incose_findings": [1] }), "details.incose_findings"),
            (TestRun, json!({ "started_at": "now" }), "details.started_at"),
        ] {
            assert_eq!(judged(of, given.clone()), Some(field), "{given}");
        }
    }

    #[test]
    fn a_change_of_an_unknown_type_must_fit_one() {
        let judged = |given: Value| judge_any(&given.as_object().cloned().unwrap_or_default());
        assert!(judged(json!({ "level": 3 })).is_ok());
        assert!(judged(json!({ "level": "system", "status": "open" })).is_ok());
        assert!(judged(json!({ "level": 7 })).is_err());
        assert!(judged(json!({ "status": "lost" })).is_err());
        assert!(judged(json!({ "nothing": 1 })).is_err());
    }
}
