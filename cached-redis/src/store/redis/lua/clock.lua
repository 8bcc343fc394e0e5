-- Time is the server's own, so that no clock of a client can shorten a deadline.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

