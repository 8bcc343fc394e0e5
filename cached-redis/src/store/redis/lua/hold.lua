-- Gives a writer whose tombstone still stands a later deadline.
--
-- KEYS     the keys
-- ARGV[1]  the token of the writer
-- ARGV[2]  for how long, in ms
-- Result   1 extended, 0 the writer is no longer there

local function step()
  local seen, now = look(redis.pcall), now_ms()
  local holders, tainted = read(seen, now)
  local before = take(holders, ARGV[1])
  if not before then
    return 0
  end
  add(holders, ARGV[1], math.max(before, now + ARGV[2]))
  write(ARGV[1], holders, tainted)
  return 1
end
