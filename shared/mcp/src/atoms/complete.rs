//! Completion: ids by the names of what they are of, words of the model, names that are taken.

use ports::{Clock, Random};

use super::kind::{Kind, Member};
use super::operation::Op;
use super::prompts::PROMPTS;
use super::resources::TEMPLATES;
use super::run::Failure;
use super::store::{Filter, SearchFor, Store, StoreError, Window};
use super::{Atoms, explain};
use crate::{Call, Completed, Completing, Fault, Reference};

/// How many are looked through.
const LOOKED_AT: usize = 100;

/// What a value can be.
enum Wanted {
    Workspace,
    Project,
    Entity,
    ProjectName,
    Word(&'static [&'static str]),
    Anything,
}

impl<S: Store, P: Clock + Random> Atoms<'_, S, P> {
    pub(super) async fn completed(
        &self,
        call: &Call<'_>,
        asked: &Completing,
    ) -> Result<Completed, Fault> {
        let found = match wanted(asked)? {
            Wanted::Word(words) => Ok(known(words, &asked.value)),
            Wanted::Workspace => self.workspaces(call, &asked.value).await,
            Wanted::Project => self.projects(call, asked, false).await,
            Wanted::ProjectName => self.projects(call, asked, true).await,
            Wanted::Entity => self.entities(call, &asked.value).await,
            Wanted::Anything => Ok(Completed::default()),
        };
        found.or_else(|error| match explain(error) {
            Failure::Fault(fault) => Err(fault),
            // Where nothing can be found, nothing is proposed.
            Failure::Refused(_) => Ok(Completed::default()),
        })
    }

    async fn workspaces(&self, call: &Call<'_>, value: &str) -> Result<Completed, StoreError> {
        if !self.may(call, Op::ListWorkspaces) {
            return Ok(Completed::default());
        }
        let part = self.store.list_workspaces(call.principal, &window()).await?;
        let all = part.items.into_iter().map(|workspace| (workspace.id, workspace.name));
        Ok(Completed { values: matching(all, value), more: part.next.is_some() })
    }

    /// The projects of the workspace that is told, or of all: their ids, or their names.
    async fn projects(
        &self,
        call: &Call<'_>,
        asked: &Completing,
        names: bool,
    ) -> Result<Completed, StoreError> {
        if !self.may(call, Op::ListProjects) {
            return Ok(Completed::default());
        }
        let workspace = asked.known.get("workspace_id").and_then(|id| id.as_str());
        let filter = Filter {
            workspace: workspace.and_then(super::check::uuid),
            types: vec!["project".to_owned()],
            ..Filter::default()
        };
        let part = self.store.list_entities(call.principal, &filter, &window()).await?;
        let of = |project: super::store::Entity| {
            let value = if names { project.title.clone() } else { project.id };
            (value, project.title)
        };
        let values = matching(part.items.into_iter().map(of), &asked.value);
        Ok(Completed { values, more: part.next.is_some() })
    }

    async fn entities(&self, call: &Call<'_>, value: &str) -> Result<Completed, StoreError> {
        let words: String = value.chars().filter(|c| !c.is_control()).take(200).collect();
        if !self.may(call, Op::SearchEntities) || words.trim().is_empty() {
            return Ok(Completed::default());
        }
        let asked = SearchFor { words, among: Filter::default(), facets: false };
        let (part, _) = self.store.search_entities(call.principal, &asked, &window()).await?;
        let values = part.items.into_iter().map(|hit| hit.id).collect();
        Ok(Completed { values, more: part.next.is_some() })
    }
}

fn window() -> Window {
    Window { limit: LOOKED_AT, after: None }
}

/// What the argument can be.
fn wanted(asked: &Completing) -> Result<Wanted, Fault> {
    let unknown = |what: &str| Err(Fault::Invalid(format!("There is no such {what}.")));
    match &asked.of {
        Reference::Template(uri) => {
            let Some(template) = TEMPLATES.iter().find(|template| template.uri == uri) else {
                return unknown("resource template");
            };
            match template.op {
                _ if asked.argument != "id" => unknown("argument"),
                Op::GetWorkspaceInfo | Op::ListProjects => Ok(Wanted::Workspace),
                Op::ReadEntity | Op::ListRelationships => Ok(Wanted::Entity),
                _ => Ok(Wanted::Anything),
            }
        }
        Reference::Prompt(name) => {
            let Some(prompt) = PROMPTS.iter().find(|prompt| prompt.name == name) else {
                return unknown("prompt");
            };
            let named = |member: &&Member| member.name == asked.argument;
            match prompt.arguments.iter().find(named) {
                None => unknown("argument"),
                Some(Member { name: "workspace_id", .. }) => Ok(Wanted::Workspace),
                Some(Member { name: "project_id", .. }) => Ok(Wanted::Project),
                Some(Member { name: "name", .. }) => Ok(Wanted::ProjectName),
                Some(Member { kind: Kind::OneOf(words), .. }) => Ok(Wanted::Word(words)),
                Some(_) => Ok(Wanted::Anything),
            }
        }
    }
}

fn known(words: &[&str], value: &str) -> Completed {
    let value = value.to_lowercase();
    let fitting = words.iter().filter(|word| word.starts_with(&value));
    Completed { values: fitting.map(|word| (*word).to_owned()).collect(), more: false }
}

/// The values whose name has what is there of it, or that begin with it: names that begin first.
fn matching(all: impl Iterator<Item = (String, String)>, value: &str) -> Vec<String> {
    let value = value.to_lowercase();
    let mut fitting: Vec<(bool, String)> = all
        .filter_map(|(id, name)| {
            let name = name.to_lowercase();
            let fits = id.to_lowercase().starts_with(&value) || name.contains(&value);
            fits.then(|| (!name.starts_with(&value), id))
        })
        .collect();
    fitting.sort_by_key(|(later, _)| *later);
    fitting.into_iter().map(|(_, id)| id).collect()
}
