-- A write was applied: it leaves the queue, and what is pending of it goes; so does whatever else stands there,
-- where that was gone before its time, but what is pending of a later write, and tombstones.
--
-- KEYS[1]  the key
-- KEYS[2]  the queue
-- KEYS[3]  how often each write was taken
-- ARGV[1]  the id of the write
-- ARGV[2]  the token of its pending entry
-- Result   1 it has left, 0 it had left before

redis.call('HDEL', KEYS[3], ARGV[1])
if redis.call('XDEL', KEYS[2], ARGV[1]) == 0 then
  return 0
end
local seen = redis.pcall('GETRANGE', KEYS[1], 0, 23)
local kind = type(seen) == 'string' and string.sub(seen, 1, 3)
if kind == '\202P\1' then
  if string.sub(seen, 9) == ARGV[2] then
    redis.call('UNLINK', KEYS[1])
  end
elseif kind ~= '\202T\1' then
  redis.call('UNLINK', KEYS[1])
end
return 1
