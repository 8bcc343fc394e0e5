-- Removes a lease that still stands.
--
-- KEYS[1]  the key
-- ARGV[1]  the token of the lease
-- Result   1 removed, 0 the lease no longer stood

local seen = redis.call('GETRANGE', KEYS[1], 0, 23)
if string.sub(seen, 9) ~= ARGV[1] or string.sub(seen, 2, 2) == 'P' then
  return 0
end
return redis.call('DEL', KEYS[1])
