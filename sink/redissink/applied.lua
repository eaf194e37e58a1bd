-- Moves positions in the hash of applied positions forward, if Redis is still the data set that it was.
--
-- KEYS  the hash of applied positions; the name of this data set
-- ARGV  the data set's name as the caller knows it, or ''; then in turn a field, the position that the caller knows to
--       stand there (0: none), and the one to move to (0: only look)
--
-- Answers 1, having changed nothing, where the data set has another name or none, or where a position is below the known
-- one: this server came back empty, or as an older copy. Else 0.

local applied, epoch = KEYS[1], KEYS[2]
if ARGV[1] ~= '' and redis.call('GET', epoch) ~= ARGV[1] then return 1 end

local function stands(field) return tonumber(redis.call('HGET', applied, field) or '0') or 0 end

for i = 2, #ARGV, 3 do
  if stands(ARGV[i]) < tonumber(ARGV[i + 1]) then return 1 end
end
for i = 2, #ARGV, 3 do
  if stands(ARGV[i]) < tonumber(ARGV[i + 2]) then redis.call('HSET', applied, ARGV[i], ARGV[i + 2]) end
end
return 0
