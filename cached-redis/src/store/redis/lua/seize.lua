-- Puts a lease over whatever string stands there, unless that is a tombstone or pending.
--
-- KEYS[1]  the key
-- ARGV[1]  the lease
-- ARGV[2]  its time to live in ms
-- Result   1 the lease stands, 0 one of these does

-- SET alone would replace a list or a hash of somebody else; this fails on them.
local kind = redis.call('GETRANGE', KEYS[1], 0, 2)
if kind == '\202T\1' or kind == '\202P\1' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
