,
page as (
    select k.type, k.id, lpad(n.depth::text, 3, '0') as place
    from node as n join app.entity_keys as k on k.id = n.id
)
