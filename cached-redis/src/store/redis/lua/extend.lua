-- Gives a lease that still stands a new time to live.
--
-- KEYS[1]  the key
-- ARGV[1]  the token of the lease
-- ARGV[2]  the time to live in ms
-- Result   1 extended, 0 the lease no longer stands

local seen = redis.call('GETRANGE', KEYS[1], 0, 23)
if string.sub(seen, 9) ~= ARGV[1] or string.sub(seen, 2, 2) == 'P' then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
