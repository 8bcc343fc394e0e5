-- Removes a lease that still stands.
--
-- KEYS[1]  the key
-- ARGV[1]  the token of the lease
-- Result   1 removed, 0 the lease no longer stood

if redis.call('GETRANGE', KEYS[1], 8, 23) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
