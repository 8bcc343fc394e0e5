-- Puts a lease over whatever stands there, unless that is not a string.
--
-- KEYS[1]  the key
-- ARGV[1]  the lease
-- ARGV[2]  its time to live in ms
-- Result   1

-- SET alone would replace a list or a hash of somebody else; this fails on them.
redis.call('STRLEN', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
