//! The tool `relationship`.

use super::super::kind::{Kind, Member, clear, may, must};
use super::super::operation::{Effect, Op, Operation, Tool};
use super::super::words;
use super::records::{CURSOR, DELETED, EDGE, ENTITY, LIMIT, NEXT_CURSOR, RELATIONSHIP, VERSION};
use super::scope::{ENTITY_READ, RELATIONSHIP_READ, RELATIONSHIP_WRITE};

const MADE: Member = must("relationship", RELATIONSHIP, "The relationship.");

pub(super) const TOOL: Tool = Tool {
    name: "relationship",
    title: "Relationships",
    about: "What is between entities: hierarchy, dependencies, trace links (which test verifies which \
            requirement), assignments to people.",
    arguments: &[
        must("relationship_id", Kind::Id, "The relationship."),
        may("workspace_id", Kind::Id, "The workspace."),
        must("entity_id", Kind::Id, "The entity at an end, or to start from."),
        must("kind", Kind::OneOf(words::RELATIONSHIP_KINDS), "What it is."),
        must(
            "source_id",
            Kind::Id,
            "The entity where it starts: the parent, the test, the dependent.",
        ),
        may("target_id", Kind::Id, "The entity where it ends, of the same workspace."),
        may("target_user", Kind::Token(255), "Or the user, of an assignment or a membership."),
        clear(
            "label",
            Kind::Token(50),
            "Which one it is, in small letters and _. A trace_link needs one: verifies, satisfies, \
             derives_from, refines, implements or traces_to.",
        ),
        may("attributes", Kind::Free(16_384), "Your own members. In a change they replace all."),
        may(
            "direction",
            Kind::OneOf(&["outgoing", "incoming", "both"]),
            "Which end entity_id is: outgoing is the source. both if absent.",
        ),
        may("kinds", Kind::List(&Kind::OneOf(words::RELATIONSHIP_KINDS), 7), "Only these kinds."),
        may("depth", Kind::Integer(1, 5), "How many steps away; 2 if absent."),
        LIMIT,
        CURSOR,
        VERSION,
    ],
    operations: &[
        Operation {
            op: Op::CreateRelationship,
            name: "create_relationship",
            title: "Create a relationship",
            about: "Connects an entity with another one (target_id) or with a person (target_user) and \
                    returns the relationship.",
            scopes: &[RELATIONSHIP_WRITE],
            effect: Effect::Create,
            required: &["kind", "source_id"],
            optional: &["target_id", "target_user", "label", "attributes"],
            output: &[MADE],
            example: r#"{"kind":"trace_link","label":"verifies","source_id":"01980000-0000-7000-8000-000000000004","target_id":"01980000-0000-7000-8000-000000000003"}"#,
        },
        Operation {
            op: Op::ListRelationships,
            name: "list_relationships",
            title: "List relationships",
            about: "Lists relationships page by page, the oldest first. Give workspace_id or entity_id.",
            scopes: &[RELATIONSHIP_READ],
            effect: Effect::Read,
            required: &[],
            optional: &["workspace_id", "entity_id", "direction", "kinds", "limit", "cursor"],
            output: &[
                must("relationships", Kind::List(&RELATIONSHIP, 100), "One page."),
                NEXT_CURSOR,
            ],
            example: r#"{"entity_id":"01980000-0000-7000-8000-000000000003","kinds":["trace_link"]}"#,
        },
        Operation {
            op: Op::UpdateRelationship,
            name: "update_relationship",
            title: "Change a relationship",
            about: "Changes the label or the attributes and returns the relationship. Its ends stay; to \
                    move it, delete it and create another.",
            scopes: &[RELATIONSHIP_WRITE],
            effect: Effect::Change,
            required: &["relationship_id"],
            optional: &["label", "attributes", "version"],
            output: &[MADE],
            example: r#"{"relationship_id":"01980000-0000-7000-8000-000000000005","label":"satisfies"}"#,
        },
        Operation {
            op: Op::DeleteRelationship,
            name: "delete_relationship",
            title: "Delete a relationship",
            about: "Deletes a relationship. What it connects stays.",
            scopes: &[RELATIONSHIP_WRITE],
            effect: Effect::Delete,
            required: &["relationship_id"],
            optional: &["version"],
            output: &[DELETED],
            example: r#"{"relationship_id":"01980000-0000-7000-8000-000000000005","confirm":true}"#,
        },
        Operation {
            op: Op::GetRelationshipGraph,
            name: "get_relationship_graph",
            title: "Follow relationships",
            about: "Returns what can be reached from entity_id within depth steps: entities and what is \
                    between them.",
            scopes: &[RELATIONSHIP_READ, ENTITY_READ],
            effect: Effect::Read,
            required: &["entity_id"],
            optional: &["direction", "kinds", "depth", "limit"],
            output: &[
                must("nodes", Kind::List(&ENTITY, 100), "The nearest first."),
                must("edges", Kind::List(&EDGE, 10_000), "Between the nodes."),
                must(
                    "truncated",
                    Kind::Flag,
                    "There is more within depth: raise limit, or narrow kinds.",
                ),
            ],
            example: r#"{"entity_id":"01980000-0000-7000-8000-000000000003","direction":"incoming","depth":3}"#,
        },
    ],
};
