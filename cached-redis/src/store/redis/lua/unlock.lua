-- Frees a lock that is still held; its number stays.
--
-- KEYS[1]  the key
-- ARGV[1]  the holder
-- Result   1 freed, 0 the holder held it no longer

local now = now_us()
local number, deadline, holder = read()
if holder ~= ARGV[1] or deadline <= now then
  return 0
end
write(number, now, NOBODY, now)
return 1
