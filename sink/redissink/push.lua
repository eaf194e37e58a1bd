-- One batter's snapshot, all or nothing: his hash, and the hashes of those of his games that come with it.
--
-- KEYS  the batter's hash; the hash of tombstones; one hash a game, named <batter's key>:game:<game_pk>
-- ARGV  observed, ttl_ms, seq, prev_seq, then for the batter and for each game: its seq, a count, and that many
--       fields and values in turn; a count of 0 says that no row stands
--
-- observed is '' for a push: a part is written unless a newer one stands. It is '<seq>:<whole>' as a sweep saw them, for
-- a mend, which brings every game: where that still stands, everything is replaced, else a mend is fenced like a push.
--
-- Answers 0; 1 where what stands is older than what this snapshot follows on, or where a mend was only fenced; 2 where
-- nothing stands though something should, or where what stands was never in Postgres.

local batter, gone = KEYS[1], KEYS[2]
local observed, ttl_ms, seq, prev_seq = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local mend = observed ~= ''

local function number(text) return text and tonumber(text) or 0 end

if mend then -- whatever else was put under these names is in the way
  for _, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
  end
end

-- All that may fail is read before the first write, so that a snapshot that failed has changed nothing.
local was, holder = redis.call('HMGET', batter, 'seq', 'whole'), batter
local was_gone = redis.call('HMGET', gone, 'seq', 'whole')
if not was[1] then was, holder = was_gone, gone end
local stood, whole = number(was[1]), number(was[2])
-- guard: a sweep replaces only what it saw | local force = mend and observed == (was[1] or '') .. ':' .. (was[2] or '') -> local force = mend
local force = mend and observed == (was[1] or '') .. ':' .. (was[2] or '')

local parts, at = {}, 5
for i, key in ipairs(KEYS) do
  if i ~= 2 then
    local part = {key = key, seq = ARGV[at], from = at + 2, count = tonumber(ARGV[at + 1])}
    at = at + 2 + part.count
    local fence
    if i == 1 then
      fence = stood
    else
      part.tombstone = string.sub(key, #batter + 2) -- game:<game_pk>
      -- guard: a key that is gone is noticed by its tombstone | redis.call('HGET', key, 'seq') or redis.call('HGET', gone, part.tombstone) -> redis.call('HGET', key, 'seq')
      fence = number(redis.call('HGET', key, 'seq') or redis.call('HGET', gone, part.tombstone))
    end
    -- guard: sequence fence of Redis | if force or tonumber(part.seq) >= fence then -> if true then
    if force or tonumber(part.seq) >= fence then parts[#parts + 1] = part end
  end
end

-- whole: up to which sequence number every snapshot has been applied, without a gap.
local answer = 0
local between = function(n) return prev_seq < n and n < seq end
if force then
  whole = ARGV[3]
elseif mend then
  answer = 1
  if whole >= 0 and seq > whole then whole = ARGV[3] else whole = was[2] end
elseif between(stood) or between(whole) then
  whole, answer = '-1', 2 -- Postgres knows of nothing between the two: this is from a past that it has lost
elseif whole == prev_seq then
  whole = ARGV[3]
else
  whole = was[2]
  if stood < prev_seq then answer = was[1] and 1 or 2 end
end
whole = whole or '0'

-- HSET before HDEL, never DEL before HSET: a server that is out of memory refuses the first write of a script if that
-- write could need memory, and none of the later ones.
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
  local stands = part.count > 0
  if stands then
    fields[#fields + 1], fields[#fields + 2] = 'seq', part.seq
  end
  if part.key == batter then
    holder = nil -- whole goes with the rest
    if stands then
      fields[#fields + 1], fields[#fields + 2] = 'whole', whole
      put(batter, fields)
      redis.call('HDEL', gone, 'seq', 'whole')
    else
      bury('seq', part.seq, 'whole', whole)
      redis.call('DEL', batter)
    end
  elseif stands then
    put(part.key, fields)
    redis.call('HDEL', gone, part.tombstone)
  else
    bury(part.tombstone, part.seq)
    redis.call('DEL', part.key)
  end
end
if holder and whole ~= was[2] then redis.call('HSET', holder, 'whole', whole) end
return answer
