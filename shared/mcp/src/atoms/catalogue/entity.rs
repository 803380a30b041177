//! The tool `entity`.

use super::super::kind::{Kind, Member, clear, may, must};
use super::super::operation::{Effect, Op, Operation, Tool};
use super::super::words;
use super::records::{CURSOR, DELETED, ENTITY, HIT, LIMIT, NEXT_CURSOR, VERSION};
use super::scope::{ENTITY_READ, ENTITY_WRITE};

const FOUND: Member = must("entity", ENTITY, "The entity.");

pub(super) const TOOL: Tool = Tool {
    name: "entity",
    title: "Entities",
    about: "Projects, and what is in them: documents and their blocks, requirements, test cases and \
            their runs, tasks.",
    arguments: &[
        must("entity_id", Kind::Id, "The entity."),
        must("type", Kind::OneOf(words::ENTITY_TYPES), "What it is."),
        must("workspace_id", Kind::Id, "The workspace; a new project needs it."),
        must("project_id", Kind::Id, "The project; everything new but a project needs it."),
        may(
            "parent_id",
            Kind::Id,
            "The document of a block or a requirement, the test case of a test run.",
        ),
        must("title", Kind::Line(300), "One line; the name of a project."),
        clear(
            "description",
            Kind::Text(100_000),
            "The text: of a requirement its statement, of a block its content, of a test run its notes.",
        ),
        may(
            "status",
            Kind::OneOf(words::ALL_STATUSES),
            "Where it stands. project: planned, active, on_hold, completed, archived. document: draft, \
             in_review, approved, obsolete. requirement: draft, in_review, approved, rejected, \
             in_progress, implemented, verified, obsolete. test_case: draft, ready, approved, \
             deprecated. test_run: planned, running, passed, failed, blocked, skipped. task: open, \
             in_progress, blocked, done, cancelled.",
        ),
        may(
            "priority",
            Kind::OneOf(words::PRIORITIES),
            "How much it matters: of requirements, test cases and tasks.",
        ),
        may(
            "kind",
            Kind::Line(50),
            "Which kind of its type, such as functional (requirement), specification (document), \
             heading (block), system (test_case). A wrong one is answered with those there are.",
        ),
        clear("external_id", Kind::Token(64), "How another system calls it, such as REQ-17."),
        may(
            "details",
            Kind::Free(65_536),
            "What only its type has. requirement: rationale, acceptance_criteria, level, \
             verification_method. test_case: preconditions, method, steps. test_run: environment, \
             build. block: level, position. Null takes a member away.",
        ),
        may("attributes", Kind::Free(16_384), "Your own members. In a change they replace all."),
        must(
            "query",
            Kind::Line(1000),
            "Words to find: quotes, or, and - work as in a web search.",
        ),
        may("types", Kind::List(&Kind::OneOf(words::ENTITY_TYPES), 7), "Only these types."),
        LIMIT,
        CURSOR,
        VERSION,
    ],
    operations: &[
        Operation {
            op: Op::ListEntities,
            name: "list_entities",
            title: "List entities",
            about: "Lists entities page by page, the oldest first. Give workspace_id or project_id.",
            scopes: &[ENTITY_READ],
            effect: Effect::Read,
            required: &[],
            optional: &[
                "workspace_id",
                "project_id",
                "parent_id",
                "type",
                "status",
                "priority",
                "limit",
                "cursor",
            ],
            output: &[must("entities", Kind::List(&ENTITY, 100), "One page."), NEXT_CURSOR],
            example: r#"{"project_id":"01980000-0000-7000-8000-000000000002","type":"requirement"}"#,
        },
        Operation {
            op: Op::CreateEntity,
            name: "create_entity",
            title: "Create an entity",
            about: "Creates a project (in workspace_id) or something in a project (project_id) and \
                    returns it.",
            scopes: &[ENTITY_WRITE],
            effect: Effect::Create,
            required: &["type", "title"],
            optional: &[
                "workspace_id",
                "project_id",
                "parent_id",
                "description",
                "status",
                "priority",
                "kind",
                "external_id",
                "details",
                "attributes",
            ],
            output: &[FOUND],
            example: r#"{"type":"requirement","project_id":"01980000-0000-7000-8000-000000000002","title":"Abort","description":"When a person presses abort, the system shall stop within 1 s.","priority":"high"}"#,
        },
        Operation {
            op: Op::ReadEntity,
            name: "read_entity",
            title: "Read an entity",
            about: "Returns one entity with all its fields.",
            scopes: &[ENTITY_READ],
            effect: Effect::Read,
            required: &["entity_id"],
            optional: &[],
            output: &[FOUND],
            example: r#"{"entity_id":"01980000-0000-7000-8000-000000000003"}"#,
        },
        Operation {
            op: Op::UpdateEntity,
            name: "update_entity",
            title: "Change an entity",
            about: "Changes an entity and returns it. What you leave out stays; null takes away.",
            scopes: &[ENTITY_WRITE],
            effect: Effect::Change,
            required: &["entity_id"],
            optional: &[
                "title",
                "description",
                "status",
                "priority",
                "kind",
                "external_id",
                "details",
                "attributes",
                "version",
            ],
            output: &[FOUND],
            example: r#"{"entity_id":"01980000-0000-7000-8000-000000000003","status":"approved","version":3}"#,
        },
        Operation {
            op: Op::DeleteEntity,
            name: "delete_entity",
            title: "Delete an entity",
            about: "Deletes an entity with what is in it and its relationships. dry_run tells what that \
                    is.",
            scopes: &[ENTITY_WRITE],
            effect: Effect::Delete,
            required: &["entity_id"],
            optional: &["version"],
            output: &[DELETED],
            example: r#"{"entity_id":"01980000-0000-7000-8000-000000000003","confirm":true}"#,
        },
        Operation {
            op: Op::SearchEntities,
            name: "search_entities",
            title: "Search entities",
            about: "Finds entities by words, best first.",
            scopes: &[ENTITY_READ],
            effect: Effect::Read,
            required: &["query"],
            optional: &["workspace_id", "project_id", "types", "limit", "cursor"],
            output: &[must("hits", Kind::List(&HIT, 100), "One page, best first."), NEXT_CURSOR],
            example: r#"{"query":"abort -test","types":["requirement"]}"#,
        },
    ],
};

/// What only entities of the type have.
pub(crate) fn details_of(kind: &str) -> &'static [Member] {
    match kind {
        "requirement" => REQUIREMENT,
        "test_case" => TEST_CASE,
        "test_run" => TEST_RUN,
        "block" => BLOCK,
        _ => &[],
    }
}

const REQUIREMENT: &[Member] = &[
    clear("rationale", Kind::Text(10_000), ""),
    clear("acceptance_criteria", Kind::Text(10_000), ""),
    may("level", Kind::OneOf(&["stakeholder", "system", "subsystem", "component"]), ""),
    clear(
        "verification_method",
        Kind::OneOf(&["inspection", "analysis", "demonstration", "test"]),
        "",
    ),
];
const TEST_CASE: &[Member] = &[
    clear("preconditions", Kind::Text(10_000), ""),
    may("method", Kind::OneOf(&["manual", "automated"]), ""),
    may("steps", Kind::List(&TEST_STEP, 200), ""),
];
const TEST_STEP: Kind =
    Kind::Record(&[must("action", Kind::Text(2000), ""), may("expected", Kind::Text(2000), "")]);
const TEST_RUN: &[Member] =
    &[clear("environment", Kind::Line(300), ""), clear("build", Kind::Line(300), "")];
const BLOCK: &[Member] =
    &[clear("level", Kind::Integer(1, 6), ""), may("position", Kind::Integer(1, 1 << 40), "")];
