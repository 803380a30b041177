//! Resources: what an operation reads, under a URI, for clients that attach context instead of calling
//! tools. Reading one is calling the operation, so scopes and rights are the same.

use ports::{Clock, Random};
use serde_json::{Map, Value, json};

use super::check::uuid;
use super::kind::members;
use super::operation::Op;
use super::run::Failure;
use super::store::{Store, Window};
use super::{Atoms, explain};
use crate::{Call, Fault, Outcome, Page};

/// How many resources a page lists.
const PAGE: usize = 50;
const MIME: &str = "application/json";
/// What stands for the id in a template.
pub(crate) const ID: &str = "{id}";

/// Resources of one form.
pub(crate) struct Template {
    /// RFC 6570, with [`ID`].
    pub(crate) uri: &'static str,
    name: &'static str,
    title: &'static str,
    about: &'static str,
    /// What reading one does.
    pub(crate) op: Op,
    /// The argument of the operation that the id is.
    argument: &'static str,
}

pub(crate) const TEMPLATES: &[Template] = &[
    Template {
        uri: "atoms://workspace/{id}",
        name: "workspace",
        title: "A workspace",
        about: "The workspace, with how much of what is in it.",
        op: Op::GetWorkspaceInfo,
        argument: "workspace_id",
    },
    Template {
        uri: "atoms://workspace/{id}/projects",
        name: "workspace_projects",
        title: "The projects of a workspace",
        about: "The first 50 projects of the workspace, the oldest first.",
        op: Op::ListProjects,
        argument: "workspace_id",
    },
    Template {
        uri: "atoms://entity/{id}",
        name: "entity",
        title: "An entity",
        about: "A project, document, block, requirement, test case, test run or task.",
        op: Op::ReadEntity,
        argument: "entity_id",
    },
    Template {
        uri: "atoms://entity/{id}/relationships",
        name: "entity_relationships",
        title: "The relationships of an entity",
        about: "The first 50 relationships that the entity is an end of.",
        op: Op::ListRelationships,
        argument: "entity_id",
    },
    Template {
        uri: "atoms://run/{id}",
        name: "run",
        title: "A run of a workflow",
        about: "How the run goes, with what came of its steps.",
        op: Op::GetWorkflowStatus,
        argument: "run_id",
    },
];

impl Template {
    /// The URI of the resource with that id.
    pub(crate) fn of(&self, id: &str) -> String {
        self.uri.replace(ID, id)
    }

    /// The id in a URI of this form.
    fn id(&self, uri: &str) -> Option<String> {
        let (before, after) = self.uri.split_once(ID)?;
        uuid(uri.strip_prefix(before)?.strip_suffix(after)?)
    }
}

/// The template that the workspaces of the list are of.
const WORKSPACE: &Template = &TEMPLATES[0];

impl<S: Store, P: Clock + Random> Atoms<'_, S, P> {
    /// Whether there are any.
    pub(super) fn has_resources(&self) -> bool {
        TEMPLATES.iter().any(|template| self.store.serves(template.op))
    }

    /// The workspaces of the caller; everything else is found through them.
    pub(super) async fn resources(
        &self,
        call: &Call<'_>,
        cursor: Option<&str>,
    ) -> Result<Page, Fault> {
        let usable = [Op::ListWorkspaces, WORKSPACE.op].iter().all(|op| self.may(call, *op));
        // Without an organization there are none.
        if !usable || call.principal.organization.is_none() {
            return Ok(Page::default());
        }
        let window = Window { limit: PAGE, after: cursor.map(str::to_owned) };
        let found = self.store.list_workspaces(call.principal, &window).await;
        let part = found.map_err(|error| match explain(error) {
            Failure::Fault(fault) => fault,
            Failure::Refused(text) => Fault::Invalid(text),
        })?;
        let item = |workspace: &super::store::Workspace| {
            let mut item = json!({
                "uri": WORKSPACE.of(&workspace.id),
                "name": workspace.name,
                "mimeType": MIME,
            });
            if let Some(description) = &workspace.description {
                item["description"] = json!(description);
            }
            item
        };
        Ok(Page { items: part.items.iter().map(item).collect(), next: part.next })
    }

    pub(super) fn templates(&self, call: &Call<'_>) -> Vec<Value> {
        let usable = TEMPLATES.iter().filter(|template| self.may(call, template.op));
        let item = |template: &Template| {
            json!({
                "uriTemplate": template.uri,
                "name": template.name,
                "title": template.title,
                "description": template.about,
                "mimeType": MIME,
            })
        };
        usable.map(item).collect()
    }

    pub(super) async fn resource(&self, call: &Call<'_>, uri: &str) -> Result<Outcome, Fault> {
        let contents = [self.contents(call, uri).await?];
        Ok(Outcome::Done(members(json!({ "contents": contents }))))
    }

    /// A resource as the protocol has it, also inside prompts.
    pub(super) async fn contents(&self, call: &Call<'_>, uri: &str) -> Result<Value, Fault> {
        let nothing = || Fault::NoResource(uri.chars().take(300).collect());
        let served = TEMPLATES.iter().filter(|template| self.store.serves(template.op));
        let found = served.filter_map(|template| Some((template, template.id(uri)?))).next();
        let (template, id) = found.ok_or_else(nothing)?;
        let mut arguments = Map::new();
        arguments.insert(template.argument.to_owned(), Value::String(id.clone()));
        match self.perform(call, template.op, arguments).await {
            Ok(content) => {
                let text = Value::Object(content).to_string();
                Ok(json!({ "uri": template.of(&id), "mimeType": MIME, "text": text }))
            }
            // The id is all that can be wrong.
            Err(Failure::Refused(_)) => Err(nothing()),
            Err(Failure::Fault(fault)) => Err(fault),
        }
    }
}
