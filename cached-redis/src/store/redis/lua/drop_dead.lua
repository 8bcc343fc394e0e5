-- Forgets the oldest dead letter of a key. With the last of them goes what is pending, which nobody will apply.
--
-- KEYS[1]  the key
-- KEYS[2]  the dead letters
-- KEYS[3]  how many of these each key has
-- Result   1 forgotten, 0 there is none

for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
  if entry[2][2] == KEYS[1] then
    redis.call('XDEL', KEYS[2], entry[1])
    if redis.call('HINCRBY', KEYS[3], KEYS[1], -1) <= 0 then
      redis.call('HDEL', KEYS[3], KEYS[1])
      if redis.call('GETRANGE', KEYS[1], 0, 2) == '\202P\1' then
        redis.call('UNLINK', KEYS[1])
      end
    end
    return 1
  end
end
return 0
