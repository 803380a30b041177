//! What answers hold: the tables of `store/records.rs`, and arguments that several tools share.

use super::super::kind::{Kind, Member, may, must, null};
use super::super::words;

/// The longest page.
pub(super) const MOST_LISTED: i64 = 100;

pub(super) const LIMIT: Member =
    may("limit", Kind::Integer(1, MOST_LISTED), "How many to return at most; 50 if absent.");
pub(super) const CURSOR: Member = may(
    "cursor",
    Kind::Token(1000),
    "next_cursor of the page before, with all other arguments unchanged; absent for the first page.",
);
pub(super) const VERSION: Member = may(
    "version",
    Kind::Integer(1, i64::MAX >> 11),
    "The version that you have seen: if somebody has changed it since, nothing happens and you are told.",
);
pub(super) const NEXT_CURSOR: Member =
    may("next_cursor", Kind::Text(1000), "There are more: give this as cursor.");

pub(super) const WORKSPACE: Kind = Kind::Record(&[
    must("id", Kind::Id, ""),
    must("organization_id", Kind::Id, ""),
    must("name", Kind::Text(200), ""),
    null("description", Kind::Text(4000), ""),
    must("created_at", Kind::Moment, "RFC 3339, UTC."),
    must("version", Kind::Count, "1 at first; each change adds 1."),
]);

pub(super) const ENTITY: Kind = Kind::Record(&[
    must("id", Kind::Id, ""),
    must("type", Kind::OneOf(words::ENTITY_TYPES), ""),
    must("workspace_id", Kind::Id, ""),
    must("project_id", Kind::Id, "A project is in itself."),
    null("parent_id", Kind::Id, "Its document or test case."),
    must("title", Kind::Text(300), ""),
    null("description", Kind::Text(100_000), ""),
    null("status", Kind::OneOf(words::ALL_STATUSES), ""),
    null("priority", Kind::OneOf(words::PRIORITIES), ""),
    null("kind", Kind::Text(50), ""),
    null("external_id", Kind::Text(64), ""),
    must("details", Kind::Free(0), "What only its type has."),
    must("attributes", Kind::Free(0), "What the organization has added."),
    must("created_by", Kind::Text(255), ""),
    must("created_at", Kind::Moment, ""),
    must("updated_at", Kind::Moment, ""),
    must("version", Kind::Count, "1 at first; each change adds 1."),
]);

pub(super) const HIT: Kind = Kind::Record(&[
    must("id", Kind::Id, ""),
    must("type", Kind::OneOf(words::ENTITY_TYPES), ""),
    must("workspace_id", Kind::Id, ""),
    must("project_id", Kind::Id, ""),
    must("title", Kind::Text(300), ""),
    null("status", Kind::OneOf(words::ALL_STATUSES), ""),
    null("priority", Kind::OneOf(words::PRIORITIES), ""),
    null("external_id", Kind::Text(64), ""),
    must("rank", Kind::Number, "How well it matches; only to be compared."),
]);

pub(super) const RELATIONSHIP: Kind = Kind::Record(&[
    must("id", Kind::Id, ""),
    must("kind", Kind::OneOf(words::RELATIONSHIP_KINDS), ""),
    must("workspace_id", Kind::Id, ""),
    must("source_id", Kind::Id, ""),
    must("source_type", Kind::Text(50), ""),
    null("target_id", Kind::Id, ""),
    null("target_user", Kind::Text(255), ""),
    must("target_type", Kind::Text(50), "user for a person."),
    null("label", Kind::Text(50), ""),
    must("attributes", Kind::Free(0), ""),
    must("created_at", Kind::Moment, ""),
    must("version", Kind::Count, ""),
]);

pub(super) const EDGE: Kind = Kind::Record(&[
    must("relationship_id", Kind::Id, ""),
    must("kind", Kind::OneOf(words::RELATIONSHIP_KINDS), ""),
    null("label", Kind::Text(50), ""),
    must("source_id", Kind::Id, ""),
    must("target_id", Kind::Id, ""),
]);

pub(super) const STEP: Kind = Kind::Record(&[
    must("name", Kind::Text(200), ""),
    must("kind", Kind::OneOf(words::STEP_KINDS), ""),
    must("config", Kind::Free(0), ""),
    null("condition", Kind::Free(0), ""),
    must("on_failure", Kind::OneOf(words::ON_FAILURE), ""),
    must("max_attempts", Kind::Count, ""),
    must("timeout", Kind::Count, "In seconds."),
]);

pub(super) const WORKFLOW: Kind = Kind::Record(&[
    must("id", Kind::Id, ""),
    must("workspace_id", Kind::Id, ""),
    null("project_id", Kind::Id, ""),
    must("name", Kind::Text(200), ""),
    null("description", Kind::Text(4000), ""),
    must("status", Kind::OneOf(words::WORKFLOW_STATUSES), ""),
    must("steps", Kind::List(&STEP, 1000), "In order."),
    must("created_at", Kind::Moment, ""),
    must("version", Kind::Count, ""),
]);

const RUN_STEP: Kind = Kind::Record(&[
    must("number", Kind::Count, "From 1."),
    must("status", Kind::OneOf(words::STEP_STATUSES), ""),
    must("attempt", Kind::Count, ""),
    null("error", Kind::Text(2000), ""),
]);

pub(super) const RUN: Kind = Kind::Record(&[
    must("id", Kind::Id, ""),
    must("workflow_id", Kind::Id, ""),
    null("subject_id", Kind::Id, ""),
    must("status", Kind::OneOf(words::RUN_STATUSES), "waiting: for somebody's approval."),
    must("input", Kind::Free(0), ""),
    null("output", Kind::Free(0), ""),
    null("error", Kind::Text(2000), ""),
    null("started_at", Kind::Moment, ""),
    null("finished_at", Kind::Moment, ""),
    must("steps", Kind::List(&RUN_STEP, 10_000), "What came of its steps, in order."),
]);

pub(super) const STATISTICS: Kind = Kind::Record(&[
    must("operation", Kind::Text(50), ""),
    must("executions", Kind::Count, ""),
    must("failures", Kind::Count, ""),
    must("rows", Kind::Count, ""),
    must("mean_time", Kind::Count, "In microseconds."),
    must("max_time", Kind::Count, "In microseconds."),
    must("last_at", Kind::Moment, ""),
]);

pub(super) const DELETED: Member = must(
    "deleted",
    Kind::Record(&[
        must("id", Kind::Id, ""),
        must("title", Kind::Text(300), ""),
        must("contents", Kind::Counts, "How many of what went with it."),
    ]),
    "What is deleted, or would be.",
);
