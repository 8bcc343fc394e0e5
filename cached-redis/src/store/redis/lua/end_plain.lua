-- The plain case of an end: of one key, which no other writer has a part in. Before all that is made for the others.

if #KEYS == 1 and ARGV[2] == '0' then
  local seen = redis.call('GETRANGE', KEYS[1], 0, 72) -- fails on what is no string
  if #seen == 72 and string.sub(seen, 1, 3) == '\202T\1' and string.sub(seen, 49, 64) == ARGV[1] then
    redis.call('UNLINK', KEYS[1])
    return 1
  end
end

