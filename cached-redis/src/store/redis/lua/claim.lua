-- Hands what was abandoned to another consumer, and says what is gone of it. XAUTOCLAIM forgets that at once, and so
-- does XCLAIM: it stays pending here, until it is acknowledged.
local log, group, consumer, idle, count = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local abandoned = redis.call('XPENDING', log, group, 'IDLE', idle, '-', '+', count)
local entries, gone = {}, {}
for _, entry in ipairs(abandoned) do
    local id = entry[1]
    local found = redis.call('XRANGE', log, id, id)
    if found[1] then
        redis.call('XCLAIM', log, group, consumer, idle, id, 'JUSTID')
        entries[#entries + 1] = found[1]
    else
        gone[#gone + 1] = id
    end
end
return {entries, gone}
