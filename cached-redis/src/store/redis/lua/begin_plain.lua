-- The plain case of a begin: one key, and no other writer. Before all that is made for the others, which is most of what a
-- script costs.

if #KEYS == 1 then
  local seen = redis.call('GETRANGE', KEYS[1], 0, 2) -- fails on what is no string
  if seen ~= '\202T\1' and seen ~= '\202P\1' then
    local time = redis.call('TIME')
    local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
    local entry = '\202T\1\0\0\0\0\0' .. ARGV[1] .. '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\24\0\0\0'
      .. ARGV[1] .. struct.pack('<I8', deadline)
    if not redis.pcall('SET', KEYS[1], entry, 'PXAT', string.format('%.0f', deadline)).err then
      return 1
    end
  end
end

