-- Documents of a project and the blocks that they consist of.

set role atoms_owner;

create table app.documents (
    id uuid primary key default app.new_id()
        constraint documents_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    project_id uuid not null,
    title text not null
        constraint documents_title_length check (char_length(title) <= 300 and title ~ '\S'),
    description text
        constraint documents_description_length check (char_length(description) <= 4000),
    kind text not null default 'specification'
        constraint documents_kind_known check (kind in (
            'specification', 'design', 'plan', 'report', 'note', 'other'
        )),
    status text not null default 'draft'
        constraint documents_status_known check (status in ('draft', 'in_review', 'approved', 'obsolete')),
    -- As people call it, unique in the project.
    external_id text
        constraint documents_external_id_form check (external_id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    attributes jsonb not null default '{}'
        constraint documents_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint documents_attributes_length check (octet_length(attributes::text) <= 16384),
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
        || setweight(to_tsvector('english', coalesce(description, '')), 'B')
    ) stored,
    constraint documents_id_project_id unique (id, project_id),
    constraint documents_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint documents_project foreign key (project_id, workspace_id)
        references app.projects (id, workspace_id) on delete cascade
);

create index documents_workspace_id on app.documents (workspace_id, id);
create index documents_project_id on app.documents (project_id, id);
create index documents_status on app.documents (project_id, status, id) where deleted_at is null;
create unique index documents_external_id on app.documents (project_id, external_id) where deleted_at is null;
create index documents_search on app.documents using gin (search);

create trigger live before insert or update of project_id, deleted_at on app.documents
    for each row when (new.deleted_at is null)
    execute function app.require_live('projects', 'project_id');
create trigger stamp before update on app.documents
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.documents
    for each row execute function app.stamp_deletion('member');
create trigger entity_key after insert or update of deleted_at or delete on app.documents
    for each row execute function app.keep_entity_key('document');
create trigger record after insert or update or delete on app.documents
    for each row execute function app.record_change('document');

create table app.blocks (
    id uuid primary key default app.new_id()
        constraint blocks_id_version check (substr(id::text, 15, 1) = '7'),
    organization_id uuid not null,
    workspace_id uuid not null,
    project_id uuid not null,
    document_id uuid not null,
    kind text not null default 'text'
        constraint blocks_kind_known check (kind in (
            'heading', 'text', 'list', 'table', 'code', 'image', 'requirement'
        )),
    -- Where it stands in the document: between any two there is room for a third.
    position numeric(30, 15) not null
        constraint blocks_position_positive check (position > 0),
    -- Of a heading, from 1.
    level smallint
        constraint blocks_level_range check (level between 1 and 6),
    -- What it says; of an image, what it shows.
    content text not null default ''
        constraint blocks_content_length check (char_length(content) <= 100000),
    attributes jsonb not null default '{}'
        constraint blocks_attributes_object check (jsonb_typeof(attributes) = 'object')
        constraint blocks_attributes_length check (octet_length(attributes::text) <= 16384),
    created_by text not null default app.user_id(),
    created_at timestamptz not null default now(),
    updated_by text not null default app.user_id(),
    updated_at timestamptz not null default now(),
    version bigint not null default 1,
    deleted_at timestamptz,
    deleted_by text,
    deleted_with uuid,
    search tsvector not null generated always as (
        setweight(to_tsvector('english', content), 'C')
    ) stored,
    constraint blocks_level_kind check ((kind = 'heading') = (level is not null)),
    constraint blocks_id_document_id unique (id, document_id),
    constraint blocks_workspace foreign key (workspace_id, organization_id)
        references app.workspaces (id, organization_id) on update cascade on delete cascade,
    constraint blocks_project foreign key (project_id, workspace_id)
        references app.projects (id, workspace_id) on delete cascade,
    constraint blocks_document foreign key (document_id, project_id)
        references app.documents (id, project_id) on delete cascade
);

create index blocks_workspace_id on app.blocks (workspace_id, id);
create index blocks_project_id on app.blocks (project_id, id);
create index blocks_document_id on app.blocks (document_id, position, id);
create index blocks_search on app.blocks using gin (search);

create trigger live before insert or update of document_id, deleted_at on app.blocks
    for each row when (new.deleted_at is null)
    execute function app.require_live('documents', 'document_id');
create trigger stamp before update on app.blocks
    for each row execute function app.stamp();
create trigger stamp_deletion before update of deleted_at on app.blocks
    for each row execute function app.stamp_deletion('member');
create trigger entity_key after insert or update of deleted_at or delete on app.blocks
    for each row execute function app.keep_entity_key('block');
create trigger record after insert or update or delete on app.blocks
    for each row execute function app.record_change('block');

create trigger within after update of deleted_at on app.documents
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('blocks', 'document_id');
create trigger within after update of deleted_at on app.projects
    for each row when ((old.deleted_at is null) <> (new.deleted_at is null))
    execute function app.delete_within('documents', 'project_id');

alter table app.documents enable row level security;
alter table app.documents force row level security;
alter table app.blocks enable row level security;
alter table app.blocks force row level security;

create policy owner_all on app.documents to atoms_owner using (true) with check (true);
create policy owner_all on app.blocks to atoms_owner using (true) with check (true);

reset role;
