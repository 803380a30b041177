//! The tool `query`, which changes nothing.

use super::super::kind::{Kind, may, must};
use super::super::operation::{Effect, Op, Operation, Tool};
use super::super::words;
use super::records::{CURSOR, ENTITY, HIT, LIMIT, NEXT_CURSOR, STATISTICS};
use super::scope::{ENTITY_READ, WORKSPACE_READ};

/// How results can be sorted; also by [`super::super::store::Filter::sort`].
const SORTS: &[&str] = &["created_at", "updated_at", "title", "status", "priority"];

const EXPORT: Kind = Kind::Record(&[
    must("format", Kind::OneOf(FORMATS), ""),
    must("rows", Kind::Count, "How many entities."),
    must("content", Kind::Text(8 << 20), "Their text."),
]);
const FORMATS: &[&str] = &["json", "csv", "markdown"];

pub(super) const TOOL: Tool = Tool {
    name: "query",
    title: "Queries",
    about: "Finds entities by what they are and say, sums up and exports what is found. Changes nothing.",
    arguments: &[
        must("workspace_id", Kind::Id, "The workspace."),
        may("project_id", Kind::Id, "Only of this project."),
        must(
            "query",
            Kind::Line(1000),
            "Words to find: quotes, or, and - work as in a web search.",
        ),
        may("types", Kind::List(&Kind::OneOf(words::ENTITY_TYPES), 7), "Only these types."),
        may("statuses", Kind::List(&Kind::OneOf(words::ALL_STATUSES), 23), "Only at one of these."),
        may("priorities", Kind::List(&Kind::OneOf(words::PRIORITIES), 4), "Only of one of these."),
        may("external_id", Kind::Token(64), "Only what another system calls this."),
        may("created_by", Kind::Token(255), "Only what this user has made."),
        may("updated_after", Kind::Moment, "Only what has changed since."),
        may("updated_before", Kind::Moment, "Only what has not changed since."),
        may("attributes", Kind::Free(4096), "Only with these attributes, each with this value."),
        may("sort", Kind::OneOf(SORTS), "By what to sort; created_at if absent."),
        may("order", Kind::OneOf(&["ascending", "descending"]), "ascending if absent."),
        may("facets", Kind::Flag, "true: also count what matches, by type and by status."),
        must("format", Kind::OneOf(FORMATS), "The form of the text."),
        may("days", Kind::Integer(1, 90), "How far back; 7 if absent."),
        LIMIT,
        CURSOR,
    ],
    operations: &[
        Operation {
            op: Op::QueryEntities,
            name: "query_entities",
            title: "Query entities",
            about: "Returns the entities of a workspace that fit all that you give, sorted, page by page.",
            scopes: &[ENTITY_READ],
            effect: Effect::Read,
            required: &["workspace_id"],
            optional: &[
                "project_id",
                "types",
                "statuses",
                "priorities",
                "external_id",
                "created_by",
                "updated_after",
                "updated_before",
                "attributes",
                "sort",
                "order",
                "limit",
                "cursor",
            ],
            output: &[must("entities", Kind::List(&ENTITY, 100), "One page."), NEXT_CURSOR],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001","types":["requirement"],"statuses":["draft","in_review"],"sort":"updated_at","order":"descending"}"#,
        },
        Operation {
            op: Op::AdvancedSearch,
            name: "advanced_search",
            title: "Search with filters",
            about: "Finds entities of a workspace by words, best first, among those that fit all else \
                    that you give. facets counts all that match.",
            scopes: &[ENTITY_READ],
            effect: Effect::Read,
            required: &["workspace_id", "query"],
            optional: &[
                "project_id",
                "types",
                "statuses",
                "priorities",
                "created_by",
                "updated_after",
                "updated_before",
                "attributes",
                "facets",
                "limit",
                "cursor",
            ],
            output: &[
                must("hits", Kind::List(&HIT, 100), "One page, best first."),
                NEXT_CURSOR,
                may("by_type", Kind::Counts, "All that match, by type."),
                may("by_status", Kind::Counts, "All that match, by status."),
            ],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001","query":"\"shall stop\"","facets":true}"#,
        },
        Operation {
            op: Op::GetQueryStats,
            name: "get_query_stats",
            title: "See how queries go",
            about: "Returns how often which queries were made in a workspace, how many found nothing, \
                    and how long they took.",
            scopes: &[WORKSPACE_READ],
            effect: Effect::Read,
            required: &["workspace_id"],
            optional: &["days"],
            output: &[
                must(
                    "statistics",
                    Kind::List(&STATISTICS, 1000),
                    "Those that took most time first.",
                ),
                must("days", Kind::Count, "How far back they reach."),
            ],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001","days":30}"#,
        },
        Operation {
            op: Op::ExportResults,
            name: "export_results",
            title: "Export entities",
            about: "Returns the entities that query_entities would, up to 1000, as one text: a JSON \
                    array, CSV with a header (RFC 4180), or a Markdown table. If there are more, \
                    next_cursor goes on.",
            scopes: &[ENTITY_READ],
            effect: Effect::Read,
            required: &["workspace_id", "format"],
            optional: &[
                "project_id",
                "types",
                "statuses",
                "priorities",
                "external_id",
                "created_by",
                "updated_after",
                "updated_before",
                "attributes",
                "sort",
                "order",
                "cursor",
            ],
            output: &[must("export", EXPORT, "The text."), NEXT_CURSOR],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001","types":["requirement"],"format":"csv"}"#,
        },
    ],
};
