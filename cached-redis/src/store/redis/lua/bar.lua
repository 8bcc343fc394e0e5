-- Puts a bar there, gives it a later deadline, or takes it away.
--
-- KEYS[1]  the key of the bars
-- ARGV[1]  the id of the bar
-- ARGV[2]  for how long it stands, in ms, or 0
-- ARGV[3]  and all behind it: its prefixes
-- Result   1 it stood until now, 0 it did not

local now = now_ms()
local lines, latest, stood = {}, 0, 0
local function keep(id, deadline, prefix)
  lines[#lines + 1] = string.format('%s %.0f %s\n', id, deadline, prefix)
  latest = math.max(latest, deadline)
end
for id, deadline, prefix in string.gmatch(redis.call('GETRANGE', KEYS[1], 0, -1), LINE) do
  deadline = tonumber(deadline)
  if deadline > now and id == ARGV[1] then
    stood = 1
  elseif deadline > now then
    keep(id, deadline, prefix)
  end
end
if ARGV[2] ~= '0' then
  for at = 3, #ARGV do
    keep(ARGV[1], now + ARGV[2], ARGV[at])
  end
end
-- First, since a full server refuses nothing more to a script that has written.
redis.call('DEL', KEYS[1])
if #lines > 0 then
  redis.call('SET', KEYS[1], table.concat(lines), 'PXAT', string.format('%.0f', latest))
end
return stood
