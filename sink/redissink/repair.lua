-- Writes one key of a player anew as Postgres has it, and no other key but the tombstones.
--
-- KEYS  The hash of the player or of one game; the hash of tombstones.
-- ARGV  The type and seq that the caller observed ('none' and '' for no key), tombstone, ttl_ms, seq, a count, and that
--       many fields and values in turn. A count of 0 removes the key, because no row is current. tombstone is the
--       field to write for that, or '' to write none, because Postgres never knew the player.
--
-- Answers 0; or 1, having changed nothing, if the key no longer is as observed, because it was written since.

local key, gone = KEYS[1], KEYS[2]
local tombstone, ttl_ms, seq, count = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])

local kind, stored = redis.call('TYPE', key).ok, ''
if kind == 'hash' then stored = redis.call('HGET', key, 'seq') or '' end
if kind ~= ARGV[1] or stored ~= ARGV[2] then return 1 end
local gone_kind = redis.call('TYPE', gone).ok
if gone_kind ~= 'hash' and gone_kind ~= 'none' then redis.call('DEL', gone) end

if count == 0 then
  if tombstone == 'seq' then
    redis.call('HSET', gone, 'seq', seq, 'whole', seq)
  elseif tombstone ~= '' then
    redis.call('HSET', gone, tombstone, seq)
  end
  if tombstone ~= '' then redis.call('PEXPIRE', gone, ttl_ms) end
  redis.call('DEL', key)
  return 0
end

if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
local fields, named = {}, {}
for i = 7, 6 + count do
  fields[#fields + 1] = ARGV[i]
  if i % 2 == 1 then named[ARGV[i]] = true end
end
redis.call('HSET', key, unpack(fields)) -- before HDEL, for the reason given in push.lua
for _, field in ipairs(redis.call('HKEYS', key)) do
  if not named[field] then redis.call('HDEL', key, field) end
end
if tombstone == 'seq' then
  redis.call('HDEL', gone, 'seq', 'whole')
else
  redis.call('HDEL', gone, tombstone)
end
return 0
