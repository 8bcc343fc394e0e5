-- What the steps on tombstones share; `tombstone.rs` says what a tombstone is and how it is laid out.

local key = KEYS[1]
local NOBODY = '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
local MOST_WRITERS = 2000

-- The beginning of what stands, of a tombstone with one writer all. What is no string answers with an error.
local function look(call)
  return call('GETRANGE', key, 0, 72)
end

-- Whether that is of a tombstone.
local function stands(seen)
  return type(seen) == 'string' and string.sub(seen, 1, 3) == '\202T\1'
end

-- Whether it is of a value that is still to be written to the source, which stays.
local function is_pending(seen)
  return type(seen) == 'string' and string.sub(seen, 1, 3) == '\202P\1'
end

-- Whether it is all of one with a single writer, who has this token.
local function is_of(seen, token)
  return #seen == 72 and stands(seen) and string.sub(seen, 49, 64) == token
end

local function is_tainted(seen)
  return math.floor(string.byte(seen, 4) / 8) % 2 == 1
end

-- What stands: the holders, without deadlines that are over, and whether it is tainted.
local function read(seen, now)
  local holders = {}
  if not stands(seen) then
    return holders, false
  end
  local bytes = #seen > 72 and redis.call('GET', key) or seen
  for at = 49, #bytes - 23, 24 do
    local deadline = struct.unpack('<I8', bytes, at + 16)
    if deadline > now then
      holders[#holders + 1] = { string.sub(bytes, at, at + 15), deadline }
    end
  end
  return holders, is_tainted(seen)
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
  local flags, latest, extensions = tainted and 8 or 0, 0, {}
  for at, holder in ipairs(holders) do
    if holder[1] == NOBODY then
      flags = flags + 16
    end
    latest = math.max(latest, holder[2])
    extensions[at] = holder[1] .. struct.pack('<I8', holder[2])
  end
  local header = '\202T\1' .. string.char(flags) .. '\0\0\0\0' .. token .. NOBODY .. '\0\0\0\0'
    .. struct.pack('<I2', 24 * #holders) .. '\0\0'
  local entry, latest = header .. table.concat(extensions), string.format('%.0f', latest)
  if #holders > 0 and not redis.pcall('SET', key, entry, 'PXAT', latest).err then
    return
  end
  -- Else a full server has refused it, and refuses nothing more to a script that has written.
  redis.call('UNLINK', key)
  if #holders > 0 then
    redis.call('SET', key, entry, 'PXAT', latest)
  end
end

