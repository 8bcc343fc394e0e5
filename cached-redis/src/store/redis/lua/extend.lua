-- Gives a lease that still stands a new time to live.
--
-- KEYS[1]  the key
-- ARGV[1]  the token of the lease
-- ARGV[2]  the time to live in ms
-- Result   1 extended, 0 the lease no longer stands

if redis.call('GETRANGE', KEYS[1], 8, 23) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
