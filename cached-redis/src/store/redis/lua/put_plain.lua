-- The plain case of a put: no other writer had a part, and no bar stands anywhere. Before all that is made for the others.
-- A deadline that is over need not be looked at: what carries it alone is gone.

local plain = redis.call('GETRANGE', KEYS[1], 0, 72) -- fails on what is no string
if #plain == 72 and string.sub(plain, 1, 4) == '\202T\1\0' and string.sub(plain, 49, 64) == ARGV[1]
  and redis.call('GETRANGE', KEYS[2], 0, 0) == ''
  -- A full server refuses it; the key must be opened all the same.
  and not redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]).err then
  return 2
end

