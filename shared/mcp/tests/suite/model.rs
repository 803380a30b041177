//! The whole model in memory: workspaces of one organization, and what the caller's role allows.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use mcp::Principal;
use mcp::atoms::store::*;
use mcp::atoms::{Op, Store};
use serde_json::{Map, Value, json};

pub(crate) const ORGANIZATION: &str = "0190b3a0-0000-7000-8000-000000000001";
const NOW: &str = "2026-11-20T12:00:00.000Z";

/// The model.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) workspaces: RefCell<Vec<Workspace>>,
    pub(crate) entities: RefCell<Vec<Entity>>,
    pub(crate) relationships: RefCell<Vec<Relationship>>,
    pub(crate) workflows: RefCell<Vec<Workflow>>,
    pub(crate) runs: RefCell<Vec<Run>>,
    keys: RefCell<BTreeMap<String, (String, Value)>>,
    /// How many writes have happened.
    pub(crate) writes: Cell<usize>,
    /// What every call is answered with, if anything.
    pub(crate) fault: RefCell<Option<StoreError>>,
    /// Viewers may read only.
    pub(crate) viewer: bool,
}

impl Store for Model {
    fn serves(&self, _: Op) -> bool {
        true
    }

    fn keeps_attempts(&self) -> bool {
        true
    }
}

fn missing<T>(field: &'static str) -> Read<T> {
    Err(StoreError::NotFound { field })
}

fn current(target: &Target, version: i64) -> Read<()> {
    match target.version {
        Some(seen) if seen != version => Err(StoreError::Stale { version }),
        _ => Ok(()),
    }
}

fn part<T: Clone>(all: &[T], window: &Window) -> Read<Part<T>> {
    let from = match &window.after {
        None => 0,
        Some(after) => after.parse::<usize>().map_err(|_| StoreError::Invalid {
            field: "cursor",
            reason: "is not valid".to_owned(),
        })?,
    };
    let items: Vec<T> = all.iter().skip(from).take(window.limit).cloned().collect();
    let end = from.saturating_add(items.len());
    Ok(Part { items, next: (end < all.len()).then(|| end.to_string()) })
}

impl Model {
    fn read<T>(&self, principal: &Principal, of: impl FnOnce() -> Read<T>) -> Read<T> {
        if let Some(fault) = self.fault.borrow().clone() {
            return Err(fault);
        }
        if principal.organization.is_none() {
            return Err(StoreError::NoOrganization);
        }
        of()
    }

    /// `judge` says what would come of it, `happen` lets it.
    fn write<T, V>(
        &self,
        principal: &Principal,
        attempt: &Attempt,
        judge: impl FnOnce() -> Read<T>,
        shown: impl FnOnce(&T) -> V,
        happen: impl FnOnce(T),
    ) -> Write<V>
    where
        V: serde::Serialize + Clone + 'static,
    {
        self.read(principal, || Ok(()))?;
        if self.viewer {
            return Err(StoreError::NotPermitted(Some("member")));
        }
        let value = judge();
        if let Some(Idempotency { key, digest }) = &attempt.idempotency {
            let known = self.keys.borrow().get(key).cloned();
            match known {
                Some((other, _)) if other != *digest => return Err(StoreError::KeyReused),
                Some((_, first)) => {
                    // What was answered first is in `replays`, as this type has no way back.
                    let value = self.replay::<V>(&first);
                    return Ok(Written { value, replayed: true });
                }
                None => {}
            }
        }
        let value = value?;
        let answer = shown(&value);
        if !attempt.dry_run {
            self.writes.set(self.writes.get() + 1);
            happen(value);
            if let Some(Idempotency { key, digest }) = &attempt.idempotency {
                self.remember(key, digest, &answer);
            }
        }
        Ok(Written { value: answer, replayed: false })
    }

    fn remember<V: Clone + 'static>(&self, key: &str, digest: &str, answer: &V) {
        let at = REPLAYS.with_borrow_mut(|all| {
            all.push(Box::new(answer.clone()));
            all.len() - 1
        });
        self.keys.borrow_mut().insert(key.to_owned(), (digest.to_owned(), json!(at)));
    }

    fn replay<V: Clone + 'static>(&self, at: &Value) -> V {
        let at = at.as_u64().expect("an index") as usize;
        REPLAYS.with_borrow(|all| all[at].downcast_ref::<V>().expect("the same type").clone())
    }

    fn entity(&self, id: &str, field: &'static str) -> Read<Entity> {
        let found = self.entities.borrow().iter().find(|entity| entity.id == id).cloned();
        found.ok_or(StoreError::NotFound { field })
    }

    fn filtered(&self, filter: &Filter) -> Vec<Entity> {
        let of = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|one| one == is);
        let any = |wanted: &[String], is: Option<&str>| {
            wanted.is_empty() || is.is_some_and(|is| wanted.iter().any(|one| one == is))
        };
        let fits = |entity: &&Entity| {
            of(&filter.workspace, &entity.workspace_id)
                && of(&filter.project, &entity.project_id)
                && of(&filter.parent, entity.parent_id.as_deref().unwrap_or_default())
                && of(&filter.external_id, entity.external_id.as_deref().unwrap_or_default())
                && of(&filter.created_by, &entity.created_by)
                && any(&filter.types, Some(&entity.kind))
                && any(&filter.statuses, entity.status.as_deref())
                && any(&filter.priorities, entity.priority.as_deref())
                && filter
                    .attributes
                    .iter()
                    .all(|(name, value)| entity.attributes.get(name) == Some(value))
        };
        let mut all: Vec<_> = self.entities.borrow().iter().filter(fits).cloned().collect();
        if filter.sort == "title" {
            all.sort_by(|a, b| a.title.cmp(&b.title));
        }
        if filter.descending {
            all.reverse();
        }
        all
    }
}

thread_local! {
    static REPLAYS: RefCell<Vec<Box<dyn std::any::Any>>> = const { RefCell::new(Vec::new()) };
}

impl Workspaces for Model {
    async fn list_workspaces(&self, who: &Principal, window: &Window) -> Read<Part<Workspace>> {
        self.read(who, || part(&self.workspaces.borrow(), window))
    }

    async fn create_workspace(
        &self,
        who: &Principal,
        new: NewWorkspace,
        attempt: &Attempt,
    ) -> Write<Workspace> {
        let taken = self.workspaces.borrow().iter().any(|one| one.name == new.name);
        let made = Workspace {
            id: new.id,
            organization_id: ORGANIZATION.to_owned(),
            name: new.name,
            description: new.description,
            created_at: NOW.to_owned(),
            version: 1,
        };
        let judge = || if taken { Err(StoreError::Conflict { field: "name" }) } else { Ok(made) };
        self.write(who, attempt, judge, Clone::clone, |made| {
            self.workspaces.borrow_mut().push(made);
        })
    }

    async fn read_workspace(&self, who: &Principal, id: &str) -> Read<Workspace> {
        self.read(who, || {
            let found = self.workspaces.borrow().iter().find(|one| one.id == id).cloned();
            found.map_or_else(|| missing("workspace_id"), Ok)
        })
    }

    async fn update_workspace(
        &self,
        who: &Principal,
        change: WorkspaceChange,
        attempt: &Attempt,
    ) -> Write<Workspace> {
        let mut found = self.read_workspace(who, &change.target.id).await?;
        let judge = || {
            current(&change.target, found.version)?;
            found.name = change.name.unwrap_or(found.name);
            found.description = change.description.unwrap_or(found.description);
            found.version += 1;
            Ok(found)
        };
        self.write(who, attempt, judge, Clone::clone, |changed| {
            let mut all = self.workspaces.borrow_mut();
            all.iter_mut()
                .filter(|one| one.id == changed.id)
                .for_each(|one| *one = changed.clone());
        })
    }

    async fn delete_workspace(
        &self,
        who: &Principal,
        target: &Target,
        attempt: &Attempt,
    ) -> Write<Deleted> {
        let judge = || {
            let all = self.workspaces.borrow();
            let Some(found) = all.iter().find(|one| one.id == target.id) else {
                return missing("workspace_id");
            };
            current(target, found.version)?;
            let within = self.entities.borrow();
            let count = within.iter().filter(|one| one.workspace_id == target.id).count();
            let contents = BTreeMap::from([("entities".to_owned(), count as u64)]);
            Ok(Deleted { id: target.id.clone(), title: found.name.clone(), contents })
        };
        self.write(who, attempt, judge, Clone::clone, |gone| {
            self.workspaces.borrow_mut().retain(|one| one.id != gone.id);
            self.entities.borrow_mut().retain(|one| one.workspace_id != gone.id);
        })
    }

    async fn summarize_workspace(&self, who: &Principal, id: &str) -> Read<WorkspaceSummary> {
        let workspace = self.read_workspace(who, id).await?;
        let mut entities = BTreeMap::new();
        for entity in self.entities.borrow().iter().filter(|one| one.workspace_id == id) {
            *entities.entry(entity.kind.clone()).or_default() += 1;
        }
        let workflows = self.workflows.borrow().len() as u64;
        let role = "member".to_owned();
        let relationships = BTreeMap::new();
        Ok(WorkspaceSummary { workspace, entities, relationships, workflows, members: 1, role })
    }
}

impl Entities for Model {
    async fn list_entities(
        &self,
        who: &Principal,
        filter: &Filter,
        window: &Window,
    ) -> Read<Part<Entity>> {
        self.read(who, || part(&self.filtered(filter), window))
    }

    async fn create_entity(
        &self,
        who: &Principal,
        new: NewEntity,
        attempt: &Attempt,
    ) -> Write<Entity> {
        let judge = || {
            let project = match &new.project {
                Some(project) => Some(self.entity(project, "project_id")?),
                None => None,
            };
            if let Some(parent) = &new.parent {
                self.entity(parent, "parent_id")?;
            }
            let here = |id: &String| self.workspaces.borrow().iter().any(|one| one.id == *id);
            let workspace = match (&project, &new.workspace) {
                (Some(project), _) => project.workspace_id.clone(),
                (None, Some(id)) if here(id) => id.clone(),
                _ => return missing("workspace_id"),
            };
            let fields = new.fields;
            Ok(Entity {
                project_id: project.map_or_else(|| new.id.clone(), |project| project.id),
                id: new.id,
                kind: new.kind,
                workspace_id: workspace,
                parent_id: new.parent,
                title: new.title,
                description: fields.description.flatten(),
                status: fields.status.or(Some("draft".to_owned())),
                priority: fields.priority,
                subtype: fields.subtype,
                external_id: fields.external_id.flatten(),
                details: fields.details,
                attributes: fields.attributes.unwrap_or_default(),
                created_by: who.subject.clone(),
                created_at: NOW.to_owned(),
                updated_at: NOW.to_owned(),
                version: 1,
            })
        };
        self.write(who, attempt, judge, Clone::clone, |made| self.entities.borrow_mut().push(made))
    }

    async fn read_entity(&self, who: &Principal, id: &str) -> Read<Entity> {
        self.read(who, || self.entity(id, "entity_id"))
    }

    async fn update_entity(
        &self,
        who: &Principal,
        change: EntityChange,
        attempt: &Attempt,
    ) -> Write<Entity> {
        let judge = || {
            let mut found = self.entity(&change.target.id, "entity_id")?;
            current(&change.target, found.version)?;
            let fields = change.fields;
            found.title = change.title.unwrap_or(found.title);
            found.description = fields.description.unwrap_or(found.description);
            found.status = fields.status.or(found.status);
            found.priority = fields.priority.or(found.priority);
            found.details.extend(fields.details);
            found.details.retain(|_, value| !value.is_null());
            found.attributes = fields.attributes.unwrap_or(found.attributes);
            found.version += 1;
            Ok(found)
        };
        self.write(who, attempt, judge, Clone::clone, |changed| {
            let mut all = self.entities.borrow_mut();
            all.iter_mut()
                .filter(|one| one.id == changed.id)
                .for_each(|one| *one = changed.clone());
        })
    }

    async fn delete_entity(
        &self,
        who: &Principal,
        target: &Target,
        attempt: &Attempt,
    ) -> Write<Deleted> {
        let judge = || {
            let found = self.entity(&target.id, "entity_id")?;
            current(target, found.version)?;
            Ok(Deleted { id: found.id, title: found.title, contents: BTreeMap::new() })
        };
        self.write(who, attempt, judge, Clone::clone, |gone| {
            self.entities.borrow_mut().retain(|one| one.id != gone.id);
        })
    }

    async fn search_entities(
        &self,
        who: &Principal,
        asked: &SearchFor,
        window: &Window,
    ) -> Read<(Part<Hit>, Search)> {
        self.read(who, || {
            let words = asked.words.to_lowercase();
            let matches = |entity: &&Entity| entity.title.to_lowercase().contains(&words);
            let all: Vec<_> = self.filtered(&asked.among).iter().filter(matches).cloned().collect();
            let mut facets = (BTreeMap::new(), BTreeMap::new());
            for entity in &all {
                *facets.0.entry(entity.kind.clone()).or_default() += 1;
                *facets.1.entry(entity.status.clone().unwrap_or_default()).or_default() += 1;
            }
            let hit = |entity: &Entity| Hit {
                id: entity.id.clone(),
                kind: entity.kind.clone(),
                workspace_id: entity.workspace_id.clone(),
                project_id: entity.project_id.clone(),
                title: entity.title.clone(),
                status: entity.status.clone(),
                priority: entity.priority.clone(),
                external_id: entity.external_id.clone(),
                rank: 0.5,
            };
            let hits: Vec<_> = all.iter().map(hit).collect();
            Ok((part(&hits, window)?, Search { facets: asked.facets.then_some(facets) }))
        })
    }
}

impl Relationships for Model {
    async fn list_relationships(
        &self,
        who: &Principal,
        filter: &RelationshipFilter,
        window: &Window,
    ) -> Read<Part<Relationship>> {
        self.read(who, || {
            let fits = |one: &&Relationship| {
                let outgoing = filter.entity.as_ref().is_none_or(|id| *id == one.source_id);
                let incoming =
                    filter.entity.as_ref().is_none_or(|id| Some(id) == one.target_id.as_ref());
                let end = match filter.direction.as_str() {
                    "outgoing" => outgoing,
                    "incoming" => incoming,
                    _ => outgoing || incoming,
                };
                end && filter.workspace.as_ref().is_none_or(|id| *id == one.workspace_id)
                    && (filter.kinds.is_empty() || filter.kinds.contains(&one.kind))
            };
            let all: Vec<_> = self.relationships.borrow().iter().filter(fits).cloned().collect();
            part(&all, window)
        })
    }

    async fn create_relationship(
        &self,
        who: &Principal,
        new: NewRelationship,
        attempt: &Attempt,
    ) -> Write<Relationship> {
        let judge = || {
            let source = self.entity(&new.source, "source_id")?;
            let target = match &new.target {
                Some(id) => self.entity(id, "target_id")?.kind,
                None => "user".to_owned(),
            };
            if new.kind == "hierarchy" && target == "user" {
                let reason = "connects no entity with a person; use assignment.".to_owned();
                return Err(StoreError::Invalid { field: "kind", reason });
            }
            Ok(Relationship {
                id: new.id,
                kind: new.kind,
                workspace_id: source.workspace_id,
                source_id: new.source,
                source_type: source.kind,
                target_id: new.target,
                target_user: new.target_user,
                target_type: target,
                label: new.label,
                attributes: new.attributes,
                created_at: NOW.to_owned(),
                version: 1,
            })
        };
        self.write(who, attempt, judge, Clone::clone, |made| {
            self.relationships.borrow_mut().push(made);
        })
    }

    async fn update_relationship(
        &self,
        who: &Principal,
        change: RelationshipChange,
        attempt: &Attempt,
    ) -> Write<Relationship> {
        let judge = || {
            let all = self.relationships.borrow();
            let Some(found) = all.iter().find(|one| one.id == change.target.id) else {
                return missing("relationship_id");
            };
            current(&change.target, found.version)?;
            let mut found = found.clone();
            found.label = change.label.unwrap_or(found.label);
            found.attributes = change.attributes.unwrap_or(found.attributes);
            found.version += 1;
            Ok(found)
        };
        self.write(who, attempt, judge, Clone::clone, |changed| {
            let mut all = self.relationships.borrow_mut();
            all.iter_mut()
                .filter(|one| one.id == changed.id)
                .for_each(|one| *one = changed.clone());
        })
    }

    async fn delete_relationship(
        &self,
        who: &Principal,
        target: &Target,
        attempt: &Attempt,
    ) -> Write<Deleted> {
        let judge = || {
            let all = self.relationships.borrow();
            let Some(found) = all.iter().find(|one| one.id == target.id) else {
                return missing("relationship_id");
            };
            current(target, found.version)?;
            let (id, title) = (found.id.clone(), found.kind.clone());
            Ok(Deleted { id, title, contents: BTreeMap::new() })
        };
        self.write(who, attempt, judge, Clone::clone, |gone| {
            self.relationships.borrow_mut().retain(|one| one.id != gone.id);
        })
    }

    async fn relationship_graph(&self, who: &Principal, asked: &GraphAround) -> Read<Graph> {
        let start = self.read(who, || self.entity(&asked.entity, "entity_id"))?;
        let (mut nodes, mut edges) = (vec![start], Vec::new());
        let mut truncated = false;
        for _ in 0..asked.depth {
            for one in self.relationships.borrow().iter() {
                let Some(target) = &one.target_id else { continue };
                let here = |id: &String| nodes.iter().any(|node| node.id == *id);
                let (from, to) = (here(&one.source_id), here(target));
                let known = edges.iter().any(|edge: &Edge| edge.relationship_id == one.id);
                if known || !(from || to) {
                    continue;
                }
                let other = if from { target } else { &one.source_id };
                if !here(other) && nodes.len() >= asked.limit {
                    truncated = true;
                    continue;
                }
                if !here(other) {
                    nodes.push(self.entity(other, "entity_id")?);
                }
                edges.push(Edge {
                    relationship_id: one.id.clone(),
                    kind: one.kind.clone(),
                    label: one.label.clone(),
                    source_id: one.source_id.clone(),
                    target_id: target.clone(),
                });
            }
        }
        Ok(Graph { nodes, edges, truncated })
    }
}

impl Workflows for Model {
    async fn list_workflows(
        &self,
        who: &Principal,
        filter: &WorkflowFilter,
        window: &Window,
    ) -> Read<Part<Workflow>> {
        self.read(who, || {
            let fits = |one: &&Workflow| {
                one.workspace_id == filter.workspace
                    && filter.status.as_ref().is_none_or(|status| *status == one.status)
            };
            let all: Vec<_> = self.workflows.borrow().iter().filter(fits).cloned().collect();
            part(&all, window)
        })
    }

    async fn create_workflow(
        &self,
        who: &Principal,
        new: NewWorkflow,
        attempt: &Attempt,
    ) -> Write<Workflow> {
        let known = self.read_workspace(who, &new.workspace).await.map(drop);
        let made = Workflow {
            id: new.id,
            workspace_id: new.workspace,
            project_id: new.project,
            name: new.name,
            description: new.description,
            status: new.status,
            steps: new.steps,
            created_at: NOW.to_owned(),
            version: 1,
        };
        let judge = || known.map(|()| made);
        self.write(who, attempt, judge, Clone::clone, |made| self.workflows.borrow_mut().push(made))
    }

    async fn delete_workflow(
        &self,
        who: &Principal,
        target: &Target,
        attempt: &Attempt,
    ) -> Write<Deleted> {
        let judge = || {
            let all = self.workflows.borrow();
            let Some(found) = all.iter().find(|one| one.id == target.id) else {
                return missing("workflow_id");
            };
            current(target, found.version)?;
            let runs = self.runs.borrow().iter().filter(|run| run.workflow_id == found.id).count();
            let contents = BTreeMap::from([("runs".to_owned(), runs as u64)]);
            Ok(Deleted { id: found.id.clone(), title: found.name.clone(), contents })
        };
        self.write(who, attempt, judge, Clone::clone, |gone| {
            self.workflows.borrow_mut().retain(|one| one.id != gone.id);
        })
    }

    async fn start_run(&self, who: &Principal, new: NewRun, attempt: &Attempt) -> Write<Run> {
        let judge = || {
            let all = self.workflows.borrow();
            let Some(found) = all.iter().find(|one| one.id == new.workflow) else {
                return missing("workflow_id");
            };
            if found.status != "active" {
                let reason = "must name an active workflow.".to_owned();
                return Err(StoreError::Invalid { field: "workflow_id", reason });
            }
            let step = |at: usize| RunStep {
                number: at as i64 + 1,
                status: "succeeded".to_owned(),
                attempt: 1,
                error: None,
            };
            Ok(Run {
                id: new.id,
                workflow_id: new.workflow,
                subject_id: new.subject,
                status: "succeeded".to_owned(),
                input: new.input,
                output: Some(Map::new()),
                error: None,
                started_at: Some(NOW.to_owned()),
                finished_at: Some(NOW.to_owned()),
                steps: (0..found.steps.len()).map(step).collect(),
            })
        };
        self.write(who, attempt, judge, Clone::clone, |run| self.runs.borrow_mut().push(run))
    }

    async fn read_run(&self, who: &Principal, id: &str) -> Read<Run> {
        self.read(who, || {
            let found = self.runs.borrow().iter().find(|run| run.id == id).cloned();
            found.map_or_else(|| missing("run_id"), Ok)
        })
    }
}

impl Queries for Model {
    async fn query_statistics(
        &self,
        who: &Principal,
        workspace: &str,
        _: u16,
    ) -> Read<Vec<QueryStatistics>> {
        self.read_workspace(who, workspace).await?;
        Ok(vec![QueryStatistics {
            operation: "query_entities".to_owned(),
            executions: 3,
            failures: 1,
            rows: 7,
            mean_time: 1500,
            max_time: 2000,
            last_at: NOW.to_owned(),
        }])
    }
}
