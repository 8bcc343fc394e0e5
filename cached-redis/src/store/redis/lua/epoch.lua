-- Agrees on the epoch: adopts the one that stands if it was begun on this very server, else begins
-- the next one.
--
-- KEYS[1]  the key of the epoch; holds "<epoch> <server>", without a TTL
-- ARGV[1]  the last epoch that the caller has seen, 0 = none
-- Result   the epoch

-- A restart changes the first id, a promotion the second one: a server that was demoted and promoted
-- again is the same process, with what was confirmed in between lost.
local process = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local here = process .. '-' .. (history or '')

local stands = redis.pcall('GET', KEYS[1])
local epoch, server
if type(stands) == 'string' then
  epoch, server = string.match(stands, '^(%d+) (%S+)$')
end
epoch = tonumber(epoch) or 0
if epoch >= 2 ^ 32 - 1 then
  epoch = 0
end
local seen = tonumber(ARGV[1])
if epoch > 0 and epoch >= seen and server == here then
  return epoch
end
-- Seconds since 2020, so that one that was lost altogether does not come back either.
local clock = tonumber(redis.call('TIME')[1]) - 1577836800
epoch = math.max(epoch, seen, clock) + 1
redis.call('SET', KEYS[1], string.format('%.0f %s', epoch, here))
return epoch
