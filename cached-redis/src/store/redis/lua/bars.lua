-- What the steps share that heed or change bars; `bars.rs` says what a bar is. All bars stand under one
-- key, in a cluster under one in each slot, as lines of "<id> <deadline> <prefix>".

local LINE = '(%S+) (%d+) ([^\n]*)\n'

-- Whether `key` is not to be filled yet.
local function is_barred(bars, key)
  local lines = redis.call('GETRANGE', bars, 0, -1)
  if lines == '' then
    return false
  end
  local now = now_ms()
  for _, deadline, prefix in string.gmatch(lines, LINE) do
    if tonumber(deadline) > now and string.sub(key, 1, #prefix) == prefix then
      return true
    end
  end
  return false
end

