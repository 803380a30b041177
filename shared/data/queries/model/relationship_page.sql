select to_jsonb(r) from app.live_relationships as r
where r.organization_id = $1::uuid
    and ($2::uuid is null or r.workspace_id = $2::uuid)
    and ($3::uuid is null or case $4::text
        when 'outgoing' then r.source_id = $3::uuid
        when 'incoming' then r.target_id = $3::uuid
        else r.source_id = $3::uuid or r.target_id = $3::uuid
    end)
    and ($5::text[] is null or r.kind = any ($5::text[]))
    and ($6::uuid is null or r.id > $6::uuid)
order by r.id
limit $7::int
