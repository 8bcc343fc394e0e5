-- Puts the dead letters of a key back at the end of the queue, in their order and under new numbers.
--
-- KEYS[1]  the queue
-- KEYS[2]  the dead letters
-- KEYS[3]  how many of these each key has
-- ARGV[1]  the key
-- ARGV[2]  the channel of the queue
-- ARGV[3]  the number of the partition
-- Result   how many there were

local count = 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
  local id, fields = entry[1], entry[2]
  if fields[2] == ARGV[1] then
    redis.call('XADD', KEYS[1], '*', 'k', fields[2], 't', fields[4], 'f', fields[6], 'a', fields[8])
    redis.call('XDEL', KEYS[2], id)
    count = count + 1
  end
end
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return count
