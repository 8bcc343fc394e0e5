-- The oldest write that waits, for the owner of the partition.
--
-- KEYS[1]  the lock of the partition
-- KEYS[2]  the queue
-- KEYS[3]  how often each write was taken
-- ARGV[1]  the owner
-- Result   0: somebody else owns it; an empty list: nothing waits; else the entry, and how often it was taken

local _, deadline, holder = read()
if holder ~= ARGV[1] or deadline <= now_us() then
  return 0
end
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if not first then
  return {}
end
-- A full server refuses to count, and is to get rid of what waits all the same.
local tries = redis.pcall('HINCRBY', KEYS[3], first[1], 1)
return { first, type(tries) == 'number' and tries or 1 }
