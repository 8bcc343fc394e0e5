-- What the steps on locks share; `wire/lock.rs` says what the record of a lock is and why it stands as
-- "<number> <deadline> <holder>". Times are in µs of the server's own clock.

local key = KEYS[1]
local NOBODY = '-'
local REMEMBERED_MS = 60 * 60 * 1000

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- The number, the deadline and the holder; nothing if these are bytes of somebody else.
local function read()
  local stands = redis.call('GET', key)
  if not stands then
    return 0, 0, NOBODY
  end
  local number, deadline, holder = string.match(stands, '^(%d+) (%d+) (%S+)$')
  return tonumber(number), tonumber(deadline), holder
end

local function write(number, deadline, holder, now)
  local record = string.format('%.0f %.0f %s', number, deadline, holder)
  local life = REMEMBERED_MS + math.max(0, math.ceil((deadline - now) / 1000))
  redis.call('SET', key, record, 'PX', string.format('%.0f', life))
end
