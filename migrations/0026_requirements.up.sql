-- Requirements of a project: the statement in one of the patterns of EARS (Easy Approach to Requirements
-- Syntax, Mavin et al. 2009), judged by the characteristics of INCOSE's Guide to Writing Requirements.

set role atoms_owner;

create table app.requirements (
    id uuid primary key default app.new_id()
        constraint requirements_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    project_id uuid not null,
    -- Where it stands, if it stands in a document.
    document_id uuid,
    block_id uuid,
    -- As people call it, unique in the project.
    external_id text
        constraint requirements_external_id_form check (external_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    title text not null
        constraint requirements_title_length check (char_length(title) <= 300 and title ~ '\S'),
    -- What shall be, in one sentence.
    statement text not null default ''
        constraint requirements_statement_length check (char_length(statement) <= 10000),
    rationale text
        constraint requirements_rationale_length check (char_length(rationale) <= 10000),
    acceptance_criteria text
        constraint requirements_acceptance_criteria_length check (char_length(acceptance_criteria) <= 10000),
    kind text not null default 'functional'
        constraint requirements_kind_known check (kind in (
            'functional', 'performance', 'interface', 'security', 'safety', 'usability', 'reliability',
            'constraint', 'regulatory', 'other'
        )),
    level text not null default 'system'
        constraint requirements_level_known check (level in (
            'stakeholder', 'system', 'subsystem', 'component'
        )),
    priority text not null default 'medium'
        constraint requirements_priority_known check (priority in ('low', 'medium', 'high', 'critical')),
    status text not null default 'draft'
        constraint requirements_status_known check (status in (
            'draft', 'in_review', 'approved', 'rejected', 'in_progress', 'implemented', 'verified',
            'obsolete'
        )),
    -- The parts of the statement, by the words that introduce them.
    ears_pattern text
        constraint requirements_ears_pattern_known check (ears_pattern in (
            'ubiquitous', 'event_driven', 'state_driven', 'optional_feature', 'unwanted_behaviour',
            'complex'
        )),
    -- Where ...
    ears_feature text
        constraint requirements_ears_feature_length check (char_length(ears_feature) <= 2000),
    -- While ...
    ears_state text
        constraint requirements_ears_state_length check (char_length(ears_state) <= 2000),
    -- When ..., of unwanted behaviour If ...
    ears_trigger text
        constraint requirements_ears_trigger_length check (char_length(ears_trigger) <= 2000),
    -- The ...
    ears_system text
        constraint requirements_ears_system_length check (char_length(ears_system) <= 300),
    -- ... shall ...
    ears_response text
        constraint requirements_ears_response_length check (char_length(ears_response) <= 5000),
    verification_method text
        constraint requirements_verification_method_known check (verification_method in (
            'inspection', 'analysis', 'demonstration', 'test'
        )),
    -- Those of the nine characteristics that somebody has found it to have.
    incose_met text[] not null default '{}'
        constraint requirements_incose_met_known check (
            incose_met <@ array[
                'necessary', 'appropriate', 'unambiguous', 'complete', 'singular', 'feasible', 'verifiable',
                'correct', 'conforming'
            ] and cardinality(incose_met) <= 9
        ),
    -- How good it is by them, in percent; null if nobody has judged.
    incose_score smallint
        constraint requirements_incose_score_range check (incose_score between 0 and 100),
    -- What is wrong with it: a list of objects.
    incose_findings jsonb not null default '[]'
        constraint requirements_incose_findings_array check (jsonb_typeof(incose_findings) = 'array')
        constraint requirements_incose_findings_length check (octet_length(incose_findings::text) <= 16384),
    attributes jsonb not null default '{}'
        constraint requirements_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint requirements_attributes_length check (octet_length(attributes::text) <= 16384),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    deleted_at timestamptz,
    deleted_by text,
    deleted_with uuid,
    search tsvector not null generated always as (
        setweight(to_tsvector('english', title || ' ' || coalesce(external_id, '')), 'A')
        || setweight(to_tsvector('english', statement), 'B')
        || setweight(to_tsvector('english', coalesce(rationale, '')), 'C')
        || setweight(to_tsvector('english', coalesce(acceptance_criteria, '')), 'C')
    ) stored,
    constraint requirements_ears_parts check (case ears_pattern
        when 'ubiquitous' then num_nonnulls(ears_feature, ears_state, ears_trigger) = 0
        when 'event_driven' then ears_trigger is not null
        when 'unwanted_behaviour' then ears_trigger is not null
        when 'state_driven' then ears_state is not null
        when 'optional_feature' then ears_feature is not null
        when 'complex' then num_nonnulls(ears_feature, ears_state, ears_trigger) >= 2
        else num_nonnulls(ears_feature, ears_state, ears_trigger, ears_system, ears_response) = 0
    end),
    constraint requirements_ears_whole
        check (ears_pattern is null or ears_system is not null and ears_response is not null),
    constraint requirements_block_document check (block_id is null or document_id is not null),
    constraint requirements_id_project_id unique (id, project_id),
    constraint requirements_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint requirements_project foreign key (project_id, workspace_id)
        references app.projects (id, workspace_id) on delete cascade,
    constraint requirements_document foreign key (document_id, project_id)
        references app.documents (id, project_id) on delete cascade,
    constraint requirements_block foreign key (block_id, document_id)
        references app.blocks (id, document_id) on delete set null (block_id)
);

create index requirements_workspace_id on app.requirements (workspace_id, id);
create index requirements_project_id on app.requirements (project_id, id);
create index requirements_document_id on app.requirements (document_id, id) where document_id is not null;
create index requirements_block_id on app.requirements (block_id) where block_id is not null;
create index requirements_status on app.requirements (project_id, status, priority, id)
    where deleted_at is null;
create unique index requirements_external_id on app.requirements (project_id, external_id)
    where deleted_at is null;
create index requirements_search on app.requirements using gin (search);

create trigger live_project before insert or update of project_id, deleted_at on app.requirements
    for each row when (new.deleted_at is null)
    execute function app.require_live('projects', 'project_id');
create trigger live_document before insert or update of document_id, deleted_at on app.requirements
    for each row when (new.deleted_at is null)
    execute function app.require_live('documents', 'document_id');
create trigger live_block before insert or update of block_id on app.requirements
    for each row when (new.deleted_at is null)
    execute function app.require_live('blocks', 'block_id');
create trigger stamp before update on app.requirements
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.requirements
    for each row execute function app.stamp_deletion('member');
create trigger entity_key after insert or update of deleted_at or delete on app.requirements
    for each row execute function app.keep_entity_key('requirement');
create trigger record after insert or update or delete on app.requirements
    for each row execute function app.record_change('requirement');

-- More than before is in projects and documents.
drop trigger within on app.documents;
drop trigger within on app.projects;
create trigger within after update of deleted_at on app.documents
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('blocks', 'document_id', 'requirements', 'document_id');
create trigger within after update of deleted_at on app.projects
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('documents', 'project_id', 'requirements', 'project_id');

alter table app.requirements enable row level security;
alter table app.requirements force row level security;

create policy owner_all on app.requirements to atoms_owner using (true) with check (true);

reset role;
