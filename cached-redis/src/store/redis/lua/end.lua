-- Ends a guarded write: takes the writer out of the tombstone, and removes any other string.
--
-- KEYS     the keys
-- ARGV[1]  the token of the writer
-- ARGV[2]  for how long nobody may fill yet, in ms, or 0
-- Result   1 the writer was there, 0 it was not; the key is invalidated in both cases

local function step()
  local seen = look(redis.call) -- fails on what is no string, and belongs to somebody else
  if is_pending(seen) then
    return 1
  end
  if ARGV[2] == '0' and is_of(seen, ARGV[1]) then
    redis.call('UNLINK', key)
    return 1
  end
  local now = now_ms()
  local holders, tainted = read(seen, now)
  local stood = take(holders, ARGV[1])
  if ARGV[2] ~= '0' then
    add(holders, NOBODY, now + ARGV[2])
  end
  write(ARGV[1], holders, tainted or others(holders, ARGV[1]) > 0)
  return stood and 1 or 0
end
