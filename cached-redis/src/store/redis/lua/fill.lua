-- Replaces a lease that still stands by the entry loaded under it.
--
-- KEYS[1]  the key
-- KEYS[2]  the key of the bars
-- ARGV[1]  the token of the lease
-- ARGV[2]  the entry
-- ARGV[3]  its time to live in ms
-- Result   1 the entry stands (also when this is a repetition), 0 something else does; or an error if
--          the key is barred

local seen = redis.call('GETRANGE', KEYS[1], 0, 23)
local token = string.sub(seen, 9)
if token == ARGV[1] and string.sub(seen, 2, 2) ~= 'P' then
  if is_barred(KEYS[2], KEYS[1]) then
    return redis.error_reply('BARRED a sweep runs')
  end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return token == string.sub(ARGV[2], 9, 24) and 1 or 0
