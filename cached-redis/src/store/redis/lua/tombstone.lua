-- What the steps on tombstones share; `tombstone.rs` says what a tombstone is and how it is laid out.

local key = KEYS[1]
local NOBODY = string.rep('\0', 16)
local MOST_WRITERS = 2000

-- Whether a tombstone stands. What is no string answers with an error, and is none.
local function stands()
  return redis.pcall('GETRANGE', key, 0, 2) == '\202T\1'
end

-- What stands: the holders, without deadlines that are over, and whether it is tainted.
local function read(now)
  local holders = {}
  if not stands() then
    return holders, false
  end
  local bytes = redis.call('GET', key)
  for at = 49, #bytes - 23, 24 do
    local deadline = struct.unpack('<I8', bytes, at + 16)
    if deadline > now then
      holders[#holders + 1] = { string.sub(bytes, at, at + 15), deadline }
    end
  end
  return holders, math.floor(string.byte(bytes, 4) / 8) % 2 == 1
end

-- How many writers there are beside `token`.
local function others(holders, token)
  local count = 0
  for _, holder in ipairs(holders) do
    if holder[1] ~= token and holder[1] ~= NOBODY then
      count = count + 1
    end
  end
  return count
end

-- Takes a holder out; its deadline, if it was there.
local function take(holders, token)
  for at, holder in ipairs(holders) do
    if holder[1] == token then
      table.remove(holders, at)
      return holder[2]
    end
  end
end

local function add(holders, token, deadline)
  local before = take(holders, token) or 0
  holders[#holders + 1] = { token, math.max(deadline, before) }
end

-- Puts a tombstone for `holders` there; without any, nothing stands any more.
local function write(token, holders, tainted)
  -- First, since a full server refuses nothing more to a script that has written.
  redis.call('UNLINK', key)
  if #holders == 0 then
    return
  end
  local flags, latest, extensions = tainted and 8 or 0, 0, {}
  for at, holder in ipairs(holders) do
    if holder[1] == NOBODY then
      flags = flags + 16
    end
    latest = math.max(latest, holder[2])
    extensions[at] = holder[1] .. struct.pack('<I8', holder[2])
  end
  local header = '\202T\1' .. string.char(flags) .. string.rep('\0', 4) .. token
    .. string.rep('\0', 20) .. struct.pack('<I2', 24 * #holders) .. '\0\0'
  local entry = header .. table.concat(extensions)
  redis.call('SET', key, entry, 'PXAT', string.format('%.0f', latest))
end

