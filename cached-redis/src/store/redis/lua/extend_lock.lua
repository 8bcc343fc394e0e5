-- Gives a lock that is still held a later deadline.
--
-- KEYS[1]  the key
-- ARGV[1]  the holder
-- ARGV[2]  for how long, in ms
-- Result   1 extended, 0 the holder holds it no longer

local now = now_us()
local number, deadline, holder = read()
if holder ~= ARGV[1] or deadline <= now then
  return 0
end
write(number, now + ARGV[2] * 1000, holder, now)
return 1
