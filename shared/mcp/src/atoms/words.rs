//! The words of the Atoms model that its schemas, checks and completions share.

/// What an entity can be.
pub(crate) const ENTITY_TYPES: &[&str] =
    &["project", "document", "block", "requirement", "test_case", "test_run", "task"];
/// How much something matters.
pub(crate) const PRIORITIES: &[&str] = &["low", "medium", "high", "critical"];
/// What a relationship can be.
pub(crate) const RELATIONSHIP_KINDS: &[&str] = &[
    "hierarchy",
    "assignment",
    "dependency",
    "association",
    "trace_link",
    "membership",
    "workflow",
];
/// Which trace link it is.
pub(crate) const TRACE_LINKS: &[&str] =
    &["verifies", "satisfies", "derives_from", "refines", "implements", "traces_to"];
/// Where a workflow stands.
pub(crate) const WORKFLOW_STATUSES: &[&str] = &["draft", "active", "paused", "retired"];
/// What a step of a workflow is.
pub(crate) const STEP_KINDS: &[&str] = &["action", "approval", "condition", "notification", "wait"];
/// What happens when a step fails.
pub(crate) const ON_FAILURE: &[&str] = &["stop", "continue", "retry"];
/// Where a run of a workflow stands.
pub(crate) const RUN_STATUSES: &[&str] =
    &["pending", "running", "waiting", "succeeded", "failed", "cancelled"];
/// Where a step of a run stands.
pub(crate) const STEP_STATUSES: &[&str] =
    &["pending", "running", "waiting", "succeeded", "failed", "skipped", "cancelled"];
/// Where any entity may stand; [`statuses`] says which of them are for which type.
pub(crate) const ALL_STATUSES: &[&str] = &[
    "planned",
    "active",
    "on_hold",
    "completed",
    "archived",
    "draft",
    "in_review",
    "approved",
    "obsolete",
    "rejected",
    "in_progress",
    "implemented",
    "verified",
    "ready",
    "deprecated",
    "running",
    "passed",
    "failed",
    "blocked",
    "skipped",
    "open",
    "done",
    "cancelled",
];

/// Where a project can stand.
pub(crate) const PROJECT_STATUSES: &[&str] =
    &["planned", "active", "on_hold", "completed", "archived"];

/// Where an entity of the type can stand; none for blocks.
pub(crate) fn statuses(kind: &str) -> &'static [&'static str] {
    match kind {
        "project" => PROJECT_STATUSES,
        "document" => &["draft", "in_review", "approved", "obsolete"],
        "requirement" => &[
            "draft",
            "in_review",
            "approved",
            "rejected",
            "in_progress",
            "implemented",
            "verified",
            "obsolete",
        ],
        "test_case" => &["draft", "ready", "approved", "deprecated"],
        "test_run" => &["planned", "running", "passed", "failed", "blocked", "skipped"],
        "task" => &["open", "in_progress", "blocked", "done", "cancelled"],
        _ => &[],
    }
}

/// Which kinds of an entity of the type there are; none where there is only one.
pub(crate) fn kinds(kind: &str) -> &'static [&'static str] {
    match kind {
        "document" => &["specification", "design", "plan", "report", "note", "other"],
        "block" => &["heading", "text", "list", "table", "code", "image", "requirement"],
        "requirement" => &[
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
        ],
        "test_case" => &[
            "unit",
            "integration",
            "system",
            "acceptance",
            "performance",
            "security",
            "regression",
        ],
        _ => &[],
    }
}
