-- Ends a guarded write with the value it has written, which takes the place of its tombstone. If another
-- writer has interfered, the value need not be what stands in the source, and this is a plain end; so it
-- is if the key is barred.
--
-- KEYS[1]  the key
-- KEYS[2]  the key of the bars
-- ARGV[1]  the token of the writer
-- ARGV[2]  the entry
-- ARGV[3]  its time to live in ms
-- Result   2 the entry stands (also when this is a repetition); else the key is invalidated: 1 the
--          writer was there, 0 it was not

local seen = look(redis.call) -- fails on what is no string, and belongs to somebody else
if string.sub(seen, 9, 24) == string.sub(ARGV[2], 9, 24) then
  return 2
end
if is_pending(seen) then
  return 0
end
local now = now_ms()
local holders, tainted = read(seen, now)
if #holders == 1 and holders[1][1] == ARGV[1] and not tainted
  and not is_barred(KEYS[2], key) then
  -- A full server refuses it; the key must be opened all the same.
  if not redis.pcall('SET', key, ARGV[2], 'PX', ARGV[3]).err then
    return 2
  end
end
local stood = take(holders, ARGV[1])
write(ARGV[1], holders, tainted or others(holders, ARGV[1]) > 0)
return stood and 1 or 0
