-- Makes a write a dead letter, and those of its key that are behind it.
--
-- KEYS[1]  the queue
-- KEYS[2]  the dead letters
-- KEYS[3]  how many of these each key has
-- KEYS[4]  how often each write was taken
-- ARGV[1]  the id of the write
-- ARGV[2]  why
-- ARGV[3]  how many dead letters there may be
-- Result   how many these are, 0: it has left the queue; -1: there would be too many, and nothing is changed

local waiting = redis.call('XRANGE', KEYS[1], ARGV[1], '+')
if not waiting[1] or waiting[1][1] ~= ARGV[1] then
  return 0
end
local key, count = waiting[1][2][2], 0
for _, entry in ipairs(waiting) do
  count = count + (entry[2][2] == key and 1 or 0)
end
if redis.call('XLEN', KEYS[2]) + count > tonumber(ARGV[3]) then
  return -1
end
for _, entry in ipairs(waiting) do
  local id, fields = entry[1], entry[2]
  if fields[2] == key then
    local why = id == ARGV[1] and ARGV[2] or 'behind'
    redis.call('XADD', KEYS[2], '*', 'k', key, 't', fields[4], 'f', fields[6], 'a', fields[8], 'w', why)
    redis.call('XDEL', KEYS[1], id)
  end
end
redis.call('HINCRBY', KEYS[3], key, count)
redis.call('HDEL', KEYS[4], ARGV[1])
return count
