select page.type, page.place, found.record
from page
cross join lateral (
    select to_jsonb(t) - 'search' as record
    from app.projects as t where page.type = 'project' and t.id = page.id
    union all
    select to_jsonb(t) - 'search'
    from app.documents as t where page.type = 'document' and t.id = page.id
    union all
    select to_jsonb(t) - 'search'
    from app.blocks as t where page.type = 'block' and t.id = page.id
    union all
    select to_jsonb(t) - 'search'
    from app.requirements as t where page.type = 'requirement' and t.id = page.id
    union all
    select to_jsonb(t) - 'search'
    from app.test_cases as t where page.type = 'test_case' and t.id = page.id
    union all
    select to_jsonb(t) - 'search' || (
        select jsonb_build_object('title', c.title) from app.test_cases as c where c.id = t.test_case_id
    )
    from app.test_runs as t where page.type = 'test_run' and t.id = page.id
    union all
    select to_jsonb(t) - 'search'
    from app.tasks as t where page.type = 'task' and t.id = page.id
    union all
    select to_jsonb(t) - 'search'
    from app.workflows as t where page.type = 'workflow' and t.id = page.id
) as found
order by page.place, page.id
