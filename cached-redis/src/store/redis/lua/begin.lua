-- Begins a guarded write: adds a writer to the tombstone, which replaces any other string.
--
-- KEYS     the keys
-- ARGV[1]  the token of the writer
-- ARGV[2]  for how long, in ms
-- Result   1, or an error if there are too many writers, or a write of a key is queued

local function step()
  local seen = look(redis.call) -- fails on what is no string, and belongs to somebody else
  if is_pending(seen) then
    return redis.error_reply('PENDING a write of this key is queued')
  end
  local now = now_ms()
  local holders, tainted = read(seen, now)
  local beside = others(holders, ARGV[1])
  if beside >= MOST_WRITERS then
    return redis.error_reply('FULL too many writers')
  end
  add(holders, ARGV[1], now + ARGV[2])
  write(ARGV[1], holders, tainted or beside > 0)
  return 1
end
