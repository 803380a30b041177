return redis.call('HMGET', KEYS[1], 'document', 'version', 'due')
