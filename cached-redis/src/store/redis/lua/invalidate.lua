-- Removes whatever stands there but a tombstone, which others still need, and what is pending.
--
-- KEYS     the keys
-- ARGV[1]  a new token
-- ARGV[2]  for how long nobody may fill yet, in ms, or 0
-- Result   1

local function step()
  local seen = look(redis.pcall)
  if is_pending(seen) then
    return 1
  end
  if ARGV[2] == '0' and not stands(seen) then
    redis.call('UNLINK', key)
    return 1
  end
  local now = now_ms()
  local holders, tainted = read(seen, now)
  if ARGV[2] ~= '0' then
    add(holders, NOBODY, now + ARGV[2])
  end
  write(ARGV[1], holders, tainted or others(holders, ARGV[1]) > 0)
  return 1
end
