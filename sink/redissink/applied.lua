-- Moves applied positions forward, if Redis still is the data set that the caller knows.
--
-- KEYS  The hash of applied positions; the epoch, which names the data set.
-- ARGV  The epoch that the caller knows, or ''; then triples: a field, the position that the caller knows (0: none),
--       and the position to move to (0: only compare).
--
-- Answers 1, having changed nothing, if the epoch differs or a position is below the known one. Then this server came
-- back empty, or as an older copy, or another program wrote to one of the keys. Otherwise it answers 0.

local applied, epoch = KEYS[1], KEYS[2]
-- guard: an epoch of another type is a lost one | redis.pcall('GET', epoch) -> redis.call('GET', epoch)
if ARGV[1] ~= '' and redis.pcall('GET', epoch) ~= ARGV[1] then return 1 end

local function stored(field)
  local text = redis.pcall('HGET', applied, field)
  -- guard: an applied of another type is a lost one
  if type(text) == 'table' then return -1 end
  return text and string.find(text, '^%d+$') and tonumber(text) or 0
end

for i = 2, #ARGV, 3 do
  if stored(ARGV[i]) < tonumber(ARGV[i + 1]) then return 1 end
end
for i = 2, #ARGV, 3 do
  if stored(ARGV[i]) < tonumber(ARGV[i + 2]) then redis.call('HSET', applied, ARGV[i], ARGV[i + 2]) end
end
return 0
