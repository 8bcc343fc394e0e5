-- Grants a lock that nobody else holds, with a number greater than all before.
--
-- KEYS[1]  the key
-- ARGV[1]  the holder
-- ARGV[2]  for how long, in ms
-- Result   the number (the same one for a repetition); or, negative, for how many ms somebody else
--          holds it

local now = now_us()
local number, deadline, holder = read()
if not number then
  return redis.error_reply('WRONGTYPE not a lock')
end
if holder == NOBODY or deadline <= now then
  number = math.max(number + 1, now)
elseif holder ~= ARGV[1] then
  return -math.ceil((deadline - now) / 1000)
end
write(number, now + ARGV[2] * 1000, ARGV[1], now)
return number
