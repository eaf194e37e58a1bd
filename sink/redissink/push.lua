-- Writes one player's snapshot, all or nothing: the player's hash, and the hashes of the games in the snapshot.
--
-- Snapshots arrive late, twice and out of order, from several processors and from sweeps. Three rules make the result
-- independent of that:
--
--   * Fence: a part with a smaller sequence number than the stored one is not written.
--   * Tombstone: a player or game without rows has no hash. Its last sequence number stays in the hash of tombstones
--     and fences older snapshots, until ttl_ms after the last change.
--   * whole, beside the player's seq, is the version up to which no snapshot was missed. It follows seq only if the
--     snapshot's prev_seq equals it. It is -1 once data appeared that Postgres never had, until a sweep replaces it.
--
-- KEYS  The player's hash; the hash of tombstones; one hash for each game, named <player's key>:game:<game_pk>.
-- ARGV  observed, ttl_ms, seq, prev_seq; then for the player and for each game a seq, a count, and that many fields and
--       values in turn. A count of 0 means that no row is current.
--
-- observed is '' for a push. For the repair of a sweep, which brings every game, it is the '<seq>:<whole>' that the
-- sweep saw. If that is still stored, everything is replaced. Otherwise the fence decides, as for a push.
--
-- Answers 0 if all is in order. Answers 1 if the stored version is older than prev_seq, or a repair was only fenced.
-- Answers 2 if a version that should be there is missing, or one is there that Postgres never had. Answers 3 if a key had
-- another type, so that it was removed before the snapshot was written.

local player, gone = KEYS[1], KEYS[2]
local observed, ttl_ms, seq, prev_seq = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local repair = observed ~= ''

-- tonumber alone would take 'inf', whose fence no snapshot could pass.
local function number(text) return text and string.find(text, '^%-?%d+$') and tonumber(text) or 0 end

-- A key of another type would make every write fail. It is removed, because only pitchstream writes under its names.
local foreign = false
local function read(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  -- guard: a snapshot takes the place of a key of another type | string.find(answer.err, 'WRONGTYPE', 1, true) -> false
  if string.find(answer.err, 'WRONGTYPE', 1, true) then
    redis.call('DEL', key)
    foreign = true
  end
  return redis.call(command, key, ...)
end

-- Every command that may fail comes before the first write, so that a snapshot that fails has changed nothing.
local was, holder = read('HMGET', player, 'seq', 'whole'), player
local was_gone = read('HMGET', gone, 'seq', 'whole')
if not was[1] then was, holder = was_gone, gone end
local stored, whole = number(was[1]), number(was[2])
-- guard: a sweep replaces only what it saw | local force = repair and observed == (was[1] or '') .. ':' .. (was[2] or '') -> local force = repair
local force = repair and observed == (was[1] or '') .. ':' .. (was[2] or '')

local parts, at = {}, 5
for i, key in ipairs(KEYS) do
  if i ~= 2 then
    local part = {key = key, seq = ARGV[at], from = at + 2, count = tonumber(ARGV[at + 1])}
    at = at + 2 + part.count
    local fence
    if i == 1 then
      fence = stored
    else
      part.tombstone = string.sub(key, #player + 2) -- game:<game_pk>
      -- guard: a key that is gone is noticed by its tombstone | read('HGET', key, 'seq') or redis.call('HGET', gone, part.tombstone) -> read('HGET', key, 'seq')
      fence = number(read('HGET', key, 'seq') or redis.call('HGET', gone, part.tombstone))
    end
    -- guard: sequence fence of Redis | if force or tonumber(part.seq) >= fence then -> if true then
    if force or tonumber(part.seq) >= fence then parts[#parts + 1] = part end
  end
end

local answer = 0
local between = function(n) return prev_seq < n and n < seq end
if force then
  whole = ARGV[3]
elseif repair then
  answer = 1
  if whole >= 0 and seq > whole then whole = ARGV[3] else whole = was[2] end
elseif between(stored) or between(whole) then
  whole, answer = '-1', 2 -- Postgres has no version between the two, so the stored one is from a lost past
elseif whole == prev_seq then
  whole = ARGV[3]
else
  whole = was[2]
  if stored < prev_seq then answer = was[1] and 1 or 2 end
end
if foreign and not repair then answer = 3 end
whole = whole or '0'

-- HSET comes before HDEL, and DEL never before HSET, because a server out of memory checks only the first write of a
-- script. It refuses a first HSET, but after a first DEL it would let the later HSET grow beyond the limit.
local function put(key, fields)
  local named = {}
  for i = 1, #fields, 2 do named[fields[i]] = true end
  redis.call('HSET', key, unpack(fields))
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if not named[field] then redis.call('HDEL', key, field) end
  end
end

local function bury(...)
  redis.call('HSET', gone, ...)
  redis.call('PEXPIRE', gone, ttl_ms)
end

for _, part in ipairs(parts) do
  local fields = {}
  for i = part.from, part.from + part.count - 1 do fields[#fields + 1] = ARGV[i] end
  local current = part.count > 0
  if current then
    fields[#fields + 1], fields[#fields + 2] = 'seq', part.seq
  end
  if part.key == player then
    holder = nil -- because whole is written with the rest
    if current then
      fields[#fields + 1], fields[#fields + 2] = 'whole', whole
      put(player, fields)
      redis.call('HDEL', gone, 'seq', 'whole')
    else
      bury('seq', part.seq, 'whole', whole)
      redis.call('DEL', player)
    end
  elseif current then
    put(part.key, fields)
    redis.call('HDEL', gone, part.tombstone)
  else
    bury(part.tombstone, part.seq)
    redis.call('DEL', part.key)
  end
end
if holder and whole ~= was[2] then redis.call('HSET', holder, 'whole', whole) end
if force then -- of what else is in the hash of tombstones, Postgres knows nothing
  local named = {seq = true, whole = true}
  for _, part in ipairs(parts) do named[part.tombstone or 'seq'] = true end
  for _, field in ipairs(redis.call('HKEYS', gone)) do
    if not named[field] then redis.call('HDEL', gone, field) end
  end
end
return answer
