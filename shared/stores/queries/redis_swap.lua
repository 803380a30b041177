local held = redis.call('HGET', KEYS[1], 'version') or ''
local expected, version, document, due, address = unpack(ARGV)
if held ~= expected then
    return 0
end
if version == '' then
    redis.call('DEL', KEYS[1])
else
    redis.call('HSET', KEYS[1], 'version', version, 'document', document, 'due', due)
end
if due == '' then
    redis.call('ZREM', KEYS[2], address)
else
    redis.call('ZADD', KEYS[2], due, address)
end
return 1
