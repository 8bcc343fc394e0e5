-- Puts a lease over a dead entry, provided that the entry still stands.
--
-- KEYS[1]  the key
-- ARGV[1]  the lease
-- ARGV[2]  its time to live in ms
-- ARGV[3]  the token of the entry, or "" if it is no envelope
-- ARGV[4]  the whole entry, where ARGV[3] is ""
-- Result   1 the lease stands (also when this is a repetition), 0 something else does

local seen = redis.call('GETRANGE', KEYS[1], 0, 23)
local token = string.sub(seen, 9)
local stands
if string.sub(seen, 1, 3) == '\202P\1' then
  return 0
elseif ARGV[3] ~= '' then
  stands = token == ARGV[3]
else
  stands = redis.call('STRLEN', KEYS[1]) == #ARGV[4] and redis.call('GET', KEYS[1]) == ARGV[4]
end
if stands then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return token == string.sub(ARGV[1], 9, 24) and 1 or 0
