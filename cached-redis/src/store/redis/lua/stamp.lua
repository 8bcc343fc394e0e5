-- Gives a tag a generation, if it has none, and lets it live at least as long as is asked for.
--
-- KEYS[1]  the tag
-- ARGV[1]  the generation of a tag that has none
-- ARGV[2]  the time to live in ms
-- Result   its generation now, or nil: something else stands there

local stands = redis.call('GET', KEYS[1])
if not stands then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
if #stands ~= #ARGV[1] then
  return false
end
redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
return stands
