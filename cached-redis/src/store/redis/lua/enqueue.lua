-- Takes a write in: its value stands under its key from then on, and its arguments at the end of the queue, or
-- behind the dead letters of its key. All keys are in one slot.
--
-- KEYS[1]  the key
-- KEYS[2]  the queue
-- KEYS[3]  the dead letters
-- KEYS[4]  how many of these each key has
-- ARGV[1]  the pending entry
-- ARGV[2]  the name of the function
-- ARGV[3]  its arguments
-- ARGV[4]  how many may wait
-- ARGV[5]  how many dead letters a key may have
-- ARGV[6]  the channel of the queue
-- ARGV[7]  the number of the partition
-- ARGV[8]  how old the oldest may be that waits, in ms, or 0
-- Result   1 accepted; 0 too many wait, -1 too many dead letters of this key, -2 it is barred, -3 the oldest is too old

local seen = redis.call('GETRANGE', KEYS[1], 0, 2) -- fails on what is no string, and belongs to somebody else
if seen == '\202T\1' then
  return -2
end
local dead = tonumber(redis.call('HGET', KEYS[4], KEYS[1]) or 0)
if dead >= tonumber(ARGV[5]) then
  return -1
end
if dead == 0 and redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[4]) then
  return 0
end
if dead == 0 and ARGV[8] ~= '0' then
  local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if first and now_ms() - string.match(first[1], '%d+') > tonumber(ARGV[8]) then
    return -3
  end
end
local token = string.sub(ARGV[1], 9, 24)
-- A full server refuses the first of these, and then nothing has changed.
if dead == 0 then
  redis.call('XADD', KEYS[2], '*', 'k', KEYS[1], 't', token, 'f', ARGV[2], 'a', ARGV[3])
else
  redis.call('XADD', KEYS[3], '*', 'k', KEYS[1], 't', token, 'f', ARGV[2], 'a', ARGV[3], 'w', 'behind')
  redis.call('HINCRBY', KEYS[4], KEYS[1], 1)
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1
