//! What the constraints of the schema mean to callers. Their names say it: the table, the column, and
//! what is asked of it; those that say something else are listed.

/// What the violation of a constraint means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The field names nothing.
    NotFound(&'static str),
    /// The field's value is taken.
    Conflict(&'static str),
    /// The field is wrong in this way.
    Invalid(&'static str, &'static str),
}

use Meaning::{Conflict, Invalid, NotFound};

const ENDS: &str = "must name things that this kind may connect";
const EARS: &str = "must have the parts that the pattern asks for, and no other";
const FINISHED: &str = "must not be before the start";
const OVER: &str = "is final: it is over";

/// Those whose names do not say it.
const LISTED: &[(&str, Meaning)] = &[
    ("relationships_rule", Invalid("kind", ENDS)),
    ("relationships_no_cycle", Invalid("target_id", "would be above itself")),
    ("relationships_not_self", Invalid("target_id", "must not be the source")),
    ("relationships_one_target", Invalid("target_id", "must be given, or a person, not both")),
    ("relationships_once", Conflict("target_id")),
    ("relationships_association_once", Conflict("target_id")),
    ("relationships_one_parent", Conflict("target_id")),
    ("relationships_trace_link_label", Invalid("label", "must say which trace link it is")),
    ("relationships_target_user", NotFound("target_user")),
    ("relationships_source", NotFound("source_id")),
    ("relationships_target", NotFound("target_id")),
    ("relationships_kind_known", Invalid("kind", KNOWN)),
    ("requirements_ears_parts", Invalid("details.ears_pattern", EARS)),
    ("requirements_ears_whole", Invalid("details.ears_pattern", EARS)),
    ("requirements_block_document", Invalid("details.block_id", "must be in its document")),
    ("requirements_block", NotFound("details.block_id")),
    ("requirements_block_id_live", NotFound("details.block_id")),
    ("requirements_document", NotFound("parent_id")),
    ("blocks_document", NotFound("parent_id")),
    ("test_runs_test_case", NotFound("parent_id")),
    (
        "blocks_level_kind",
        Invalid("details.level", "must be given for headings, and for no others"),
    ),
    ("test_runs_finished_at_order", Invalid("details.finished_at", FINISHED)),
    (
        "test_runs_finished_at_status",
        Invalid("details.finished_at", "must wait until the run is over"),
    ),
    ("workflow_steps_number_unique", Conflict("steps")),
    ("workflow_steps_retry", Invalid("steps", "must be retried to be tried more than once")),
    ("workflow_runs_subject", NotFound("subject_id")),
    ("workflow_runs_idempotency_key", Conflict("idempotency_key")),
    ("workflow_runs_status_final", Invalid("status", OVER)),
    ("workflow_runs_finished_at_status", Invalid("status", OVER)),
    ("workflow_step_results_status_final", Invalid("status", OVER)),
    ("workflow_step_results_finished_at_order", Invalid("status", FINISHED)),
    ("workflow_step_results_once", Conflict("attempt")),
    ("saved_queries_name", Conflict("name")),
    ("query_statistics_saved_query", NotFound("saved_query_id")),
    ("exports_status_final", Invalid("status", OVER)),
];

/// Tables, and how their rows are called in our words where a list of theirs is one field of ours.
const TABLES: &[(&str, Option<&str>)] = &[
    ("workspaces_", None),
    ("projects_", None),
    ("documents_", None),
    ("blocks_", None),
    ("requirements_", None),
    ("test_cases_", None),
    ("test_runs_", None),
    ("tasks_", None),
    ("relationships_", None),
    ("workflow_steps_", Some("steps")),
    ("workflow_runs_", None),
    ("workflow_step_results_", None),
    ("workflows_", None),
    ("saved_queries_", None),
    ("query_statistics_", None),
    ("exports_", None),
];

/// Columns, with the field of ours.
const COLUMNS: &[(&str, &str)] = &[
    ("name", "name"),
    ("title", "title"),
    ("description", "description"),
    ("statement", "description"),
    ("content", "description"),
    ("notes", "description"),
    ("status", "status"),
    ("priority", "priority"),
    ("kind", "kind"),
    ("label", "label"),
    ("external_id", "external_id"),
    ("attributes", "attributes"),
    ("rationale", "details.rationale"),
    ("acceptance_criteria", "details.acceptance_criteria"),
    ("level", "details.level"),
    ("position", "details.position"),
    ("ears_pattern", "details.ears_pattern"),
    ("ears_feature", "details.ears_feature"),
    ("ears_state", "details.ears_state"),
    ("ears_trigger", "details.ears_trigger"),
    ("ears_system", "details.ears_system"),
    ("ears_response", "details.ears_response"),
    ("verification_method", "details.verification_method"),
    ("incose_met", "details.incose_met"),
    ("incose_score", "details.incose_score"),
    ("incose_findings", "details.incose_findings"),
    ("preconditions", "details.preconditions"),
    ("steps", "details.steps"),
    ("method", "details.method"),
    ("environment", "details.environment"),
    ("build", "details.build"),
    ("results", "details.results"),
    ("estimate", "details.estimate"),
    ("input", "input"),
    ("output", "output"),
    ("error", "error"),
    ("idempotency_key", "idempotency_key"),
    ("number", "number"),
    ("attempt", "attempt"),
    ("query", "query"),
    ("visibility", "visibility"),
    ("operation", "operation"),
    ("fingerprint", "fingerprint"),
    ("format", "format"),
    ("filter", "filter"),
    ("workspace", "workspace_id"),
    ("workspace_id", "workspace_id"),
    ("project", "project_id"),
    ("project_id", "project_id"),
    ("document_id", "parent_id"),
    ("test_case_id", "parent_id"),
    ("workflow", "workflow_id"),
    ("workflow_id", "workflow_id"),
    ("source_id", "source_id"),
    ("target_id", "target_id"),
    ("run", "run_id"),
    ("id", "id"),
];

const KNOWN: &str = "must be one of the known words";

/// The last part of a name, with what it asks for.
const ASKS: &[(&str, &str)] = &[
    ("_length", "is too long, or empty"),
    ("_known", KNOWN),
    ("_form", "is not of the form that is asked for"),
    ("_range", "is out of its range"),
    ("_positive", "is out of its range"),
    ("_object", "must be an object"),
    ("_array", "must be an array"),
    ("_version", "must be a UUID of version 7"),
];

/// What the violation of the constraint means; `None` for those that no caller can violate.
pub(crate) fn meaning(constraint: &str) -> Option<Meaning> {
    if let Some((_, listed)) = LISTED.iter().find(|(name, _)| *name == constraint) {
        return Some(*listed);
    }
    let (table, whole) = TABLES.iter().find(|(table, _)| constraint.starts_with(table))?;
    let rest = &constraint[table.len()..];
    if rest == "pkey" {
        return Some(Conflict("id"));
    }
    // An index or a foreign key is called as its column.
    if let Some(field) = field(rest) {
        return Some(if field.ends_with("_id") && field != "external_id" {
            NotFound(field)
        } else {
            Conflict(field)
        });
    }
    if let Some(column) = rest.strip_suffix("_live") {
        return field(column).map(NotFound);
    }
    let (ask, reason) = ASKS.iter().find(|(ask, _)| rest.ends_with(ask))?;
    let field = whole.or_else(|| field(&rest[..rest.len() - ask.len()]))?;
    Some(Invalid(field, reason))
}

fn field(column: &str) -> Option<&'static str> {
    COLUMNS.iter().find(|(name, _)| *name == column).map(|(_, field)| *field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_constraints_say_what_they_ask_for() {
        for (constraint, expected) in [
            ("tasks_title_length", Invalid("title", "is too long, or empty")),
            ("requirements_statement_length", Invalid("description", "is too long, or empty")),
            ("requirements_level_known", Invalid("details.level", KNOWN)),
            ("workflow_steps_name_length", Invalid("steps", "is too long, or empty")),
            ("workflow_runs_input_object", Invalid("input", "must be an object")),
            ("workflows_pkey", Conflict("id")),
            ("documents_external_id", Conflict("external_id")),
            ("tasks_project", NotFound("project_id")),
            ("exports_workspace_id_live", NotFound("workspace_id")),
            ("test_runs_test_case_id_live", NotFound("parent_id")),
            ("relationships_no_cycle", Invalid("target_id", "would be above itself")),
        ] {
            assert_eq!(meaning(constraint), Some(expected), "{constraint}");
        }
        assert_eq!(meaning("memberships_owner_kept"), None);
        assert_eq!(meaning("tasks_something_else"), None);
    }

    /// Of the model, but what no caller of ours can violate: keys that only references use, parts of
    /// rows that the database fills in, what is written by the service or not by us.
    fn reachable(name: &str) -> bool {
        let of_model = TABLES.iter().any(|(table, _)| name.starts_with(table));
        let key_of_references = name.contains("_id_") && !name.ends_with("_id_version");
        let filled_in = [
            "relationships_target_user_type",
            "workflow_runs_finished_at_order",
            "workflow_runs_subject_whole",
            "workflow_runs_trigger",
            "workflow_step_results_run",
            "workflow_step_results_run_workspace",
            "workflow_step_results_step",
            "query_statistics_executions_positive",
            "query_statistics_failures_range",
            "query_statistics_rows_range",
            "query_statistics_max_time_range",
            "exports_rows_range",
            "exports_location_length",
            "exports_finished_at_order",
            "exports_finished_at_status",
            "exports_content_status",
        ];
        let triggers = name.starts_with("workflow_triggers_");
        of_model && !key_of_references && !triggers && !filled_in.contains(&name)
    }

    #[test]
    fn every_constraint_of_the_model_has_a_meaning() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_string_lossy().ends_with(".up.sql") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let words: Vec<_> = text.split_whitespace().collect();
            for window in words.windows(3) {
                match window {
                    ["constraint", name, _] => names.push((*name).to_owned()),
                    ["unique", "index", name] => names.push((*name).to_owned()),
                    _ => {}
                }
            }
        }
        names.retain(|name| reachable(name));
        assert!(names.len() > 100, "{}", names.len());
        let without: Vec<_> = names.iter().filter(|name| meaning(name).is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
    }
}
