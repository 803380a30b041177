//! Prompts: how to go about a task with the tools. Each starts from the thing it is about, as it is now.

use ports::{Clock, Random};
use serde_json::{Map, Value, json};

use super::check::{Arguments, check};
use super::kind::{Kind, Member, may, members, must};
use super::operation::Op;
use super::store::Store;
use super::{Atoms, Mode, catalogue, words};
use crate::{Call, Fault, Outcome};

/// A prompt.
pub(crate) struct Prompt {
    /// Its name.
    pub(crate) name: &'static str,
    title: &'static str,
    about: &'static str,
    /// Its arguments.
    pub(crate) arguments: &'static [Member],
    /// The operations that it cannot do without.
    needs: &'static [Op],
    /// The URI of what it starts from, with an argument in braces.
    starts_from: &'static str,
    /// Line by line: `[operation]` is how it is called, `{argument}` what was given; a line with an
    /// argument that was not given is left out.
    lines: &'static [&'static str],
}

const PROJECT: Member = must("project_id", Kind::Id, "The project.");

pub(crate) const PROMPTS: &[Prompt] = &[
    Prompt {
        name: "project_setup",
        title: "Set up a project",
        about: "Creates a project with its first documents and requirements, from what it is to achieve.",
        arguments: &[
            must("workspace_id", Kind::Id, "The workspace."),
            must("name", Kind::Line(200), "The project's name."),
            may("goal", Kind::Text(2000), "What it is to achieve."),
        ],
        needs: &[Op::GetWorkspaceInfo, Op::ListProjects, Op::CreateEntity, Op::CreateRelationship],
        starts_from: "atoms://workspace/{workspace_id}",
        lines: &[
            "Set up the project \u{201c}{name}\u{201d} in the workspace above.",
            "What it is to achieve: {goal}",
            "1. Look at the projects that are there with [list_projects]. If there is one of that name, \
             stop and tell me.",
            "2. Agree with me on the goal, the stakeholders and what is out of scope, before you create \
             anything.",
            "3. Create the project with [create_entity], then a specification and a plan in it \
             (documents), then stakeholder requirements in the specification. Each requirement says one \
             thing that can be verified, with shall, and has a rationale.",
            "4. Connect system requirements with the stakeholder requirements that they derive from by \
             [create_relationship] (trace_link, derives_from).",
            "5. Give each write an idempotency_key, so that you can repeat it, and end with a table of \
             what you have created, with ids.",
        ],
    },
    Prompt {
        name: "requirement_review",
        title: "Review requirements",
        about: "Judges the requirements of a project one by one and proposes better words.",
        arguments: &[
            PROJECT,
            may("status", Kind::OneOf(REQUIREMENT_STATUSES), "Only requirements that stand here."),
        ],
        needs: &[Op::ReadEntity, Op::ListEntities],
        starts_from: "atoms://entity/{project_id}",
        lines: &[
            "Review the requirements of the project above.",
            "Look only at those with the status {status}.",
            "1. Read them page by page with [list_entities] (type requirement).",
            "2. Judge each: is it necessary, unambiguous, complete, singular, feasible, verifiable? Does \
             it say shall once, and what triggers it? Has it a rationale and acceptance criteria?",
            "3. Look for requirements that contradict or repeat each other.",
            "4. Answer with a table: id, title, findings, proposed wording. The worst first.",
            "Change nothing unless I ask for it.",
        ],
    },
    Prompt {
        name: "traceability_report",
        title: "Report on traceability",
        about: "Tells which requirements nothing verifies, satisfies or derives from, and what traces to \
                nothing.",
        arguments: &[
            PROJECT,
            may("type", Kind::OneOf(words::ENTITY_TYPES), "Only what is of this type."),
        ],
        needs: &[Op::ReadEntity, Op::ListEntities, Op::ListRelationships, Op::GetRelationshipGraph],
        starts_from: "atoms://entity/{project_id}",
        lines: &[
            "Report on the traceability of the project above.",
            "Look only at entities of the type {type}.",
            "1. Read requirements and test cases page by page with [list_entities].",
            "2. Read the trace links of the workspace with [list_relationships] (kinds: trace_link); \
             follow single chains with [get_relationship_graph].",
            "3. Tell: requirements that no test verifies; system requirements that derive from nothing; \
             tests that verify nothing; links to what is obsolete or deprecated.",
            "4. Answer with the share of requirements that are verified, then a table for each kind of \
             gap, with ids.",
        ],
    },
    Prompt {
        name: "test_plan",
        title: "Plan tests",
        about: "Proposes the test cases that the requirements of a project still need.",
        arguments: &[PROJECT, may("kind", Kind::OneOf(TEST_KINDS), "Only tests of this kind.")],
        needs: &[Op::ReadEntity, Op::ListEntities, Op::ListRelationships],
        starts_from: "atoms://entity/{project_id}",
        lines: &[
            "Plan the tests of the project above.",
            "Plan only tests of the kind {kind}.",
            "1. Read the requirements and the test cases with [list_entities], and what verifies what \
             with [list_relationships] (kinds: trace_link).",
            "2. For each approved requirement without a test, propose test cases: title, preconditions, \
             steps with what is expected, priority from the requirement's.",
            "3. Say where a requirement cannot be tested as it is written, and why.",
            "4. Show me the plan as a table first. Create test cases and verifies links only when I agree.",
        ],
    },
    Prompt {
        name: "release_readiness",
        title: "Judge whether to release",
        about: "Gathers what speaks for and against releasing a project, and says go or no go.",
        arguments: &[PROJECT, may("release", Kind::Line(100), "The release, such as 2.1.")],
        needs: &[Op::ReadEntity, Op::ListEntities, Op::ListRelationships, Op::QueryEntities],
        starts_from: "atoms://entity/{project_id}",
        lines: &[
            "Judge whether the project above can be released.",
            "The release is {release}.",
            "1. Count requirements by status and priority with [query_entities].",
            "2. Read the last test run of each test case with [list_entities] (type test_run), and which \
             requirements they verify with [list_relationships].",
            "3. Read the open and blocked tasks.",
            "4. Blocking are: critical or high requirements that are not verified, failed or blocked test \
             runs of such requirements, blocked tasks of priority critical.",
            "5. Answer go or no go first, then what blocks, with ids, then what is merely open.",
        ],
    },
];

const REQUIREMENT_STATUSES: &[&str] = &[
    "draft",
    "in_review",
    "approved",
    "rejected",
    "in_progress",
    "implemented",
    "verified",
    "obsolete",
];
const TEST_KINDS: &[&str] =
    &["unit", "integration", "system", "acceptance", "performance", "security", "regression"];

impl<S: Store, P: Clock + Random> Atoms<'_, S, P> {
    /// Whether there are any.
    pub(super) fn has_prompts(&self) -> bool {
        PROMPTS.iter().any(|prompt| self.works(prompt))
    }

    fn works(&self, prompt: &Prompt) -> bool {
        prompt.needs.iter().all(|op| self.store.serves(*op))
    }

    pub(super) fn prompts(&self, call: &Call<'_>) -> Vec<Value> {
        let usable = |prompt: &&Prompt| prompt.needs.iter().all(|op| self.may(call, *op));
        let argument = |of: &Member| json!({ "name": of.name, "description": of.about, "required": of.required });
        let item = |prompt: &Prompt| {
            let arguments: Vec<_> = prompt.arguments.iter().map(argument).collect();
            json!({
                "name": prompt.name,
                "title": prompt.title,
                "description": prompt.about,
                "arguments": arguments,
            })
        };
        PROMPTS.iter().filter(usable).map(item).collect()
    }

    pub(super) async fn prompt(
        &self,
        call: &Call<'_>,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Outcome, Fault> {
        let mut served = PROMPTS.iter().filter(|prompt| self.works(prompt));
        let prompt = served.find(|prompt| prompt.name == name).ok_or_else(|| {
            Fault::Invalid("Unknown prompt. prompts/list tells which there are.".to_owned())
        })?;
        let mut scopes: Vec<&'static str> = Vec::new();
        let needed = prompt.needs.iter().filter_map(|op| catalogue::of(*op));
        for scope in needed.flat_map(|(_, operation)| operation.scopes) {
            if !scopes.contains(scope) {
                scopes.push(scope);
            }
        }
        if !scopes.iter().all(|scope| call.principal.may(scope)) {
            return Err(Fault::Scope(scopes));
        }
        let given = check(prompt.name, prompt.arguments, arguments)
            .map_err(|faults| Fault::Invalid(faults.join("\n")))?;
        let uri = filled(prompt.starts_from, &given).unwrap_or_default();
        let start = self.contents(call, &uri).await.map_err(|fault| match fault {
            Fault::NoResource(_) => Fault::Invalid(format!("{uri} is not there for you.")),
            fault => fault,
        })?;
        let text = self.text(prompt, &given);
        Ok(Outcome::Done(members(json!({
            "description": prompt.about,
            "messages": [
                { "role": "user", "content": { "type": "resource", "resource": start } },
                { "role": "user", "content": { "type": "text", "text": text } },
            ],
        }))))
    }

    fn text(&self, prompt: &Prompt, given: &Arguments) -> String {
        let lines = prompt.lines.iter().filter_map(|line| {
            let mut line = (*line).to_owned();
            for (tool, operation) in catalogue::operations() {
                let called = match self.mode {
                    Mode::Flat => format!("the tool {}", operation.name),
                    Mode::Grouped => {
                        format!("the tool {}, operation {}", tool.name, operation.name)
                    }
                };
                line = line.replace(&format!("[{}]", operation.name), &called);
            }
            filled(&line, given)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The line with what was given in the place of its argument; `None` if that is absent. A line has one
/// argument at most, and what is given is not looked at again.
fn filled(line: &str, given: &Arguments) -> Option<String> {
    let Some((before, rest)) = line.split_once('{') else { return Some(line.to_owned()) };
    let (name, after) = rest.split_once('}')?;
    Some(format!("{before}{}{after}", given.text(name)?))
}
