
-- Takes the step on every key, whatever becomes of the others, and all of that at once.
local result = 1
for _, each in ipairs(KEYS) do
  key = each
  local taken, answer = pcall(step)
  if not taken then
    answer = type(answer) == 'table' and answer or redis.error_reply(answer)
  end
  if type(result) == 'number' then
    result = type(answer) == 'number' and math.min(result, answer) or answer
  end
end
return result
