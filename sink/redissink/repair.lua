-- One key of a batter, written anew as Postgres has it, and no other key but the tombstones'.
--
-- KEYS  the batter's hash or that of one of his games; the hash of tombstones
-- ARGV  kind and seq of what was seen there ('none' and '' for nothing), tombstone, ttl_ms, seq, a count, and that many
--       fields and values in turn; a count of 0 says that no row stands. tombstone is '' for what Postgres never knew:
--       its key only goes.
--
-- Answers 0; 1 where something else stands than was seen: somebody wrote meanwhile, and nothing was changed.

local key, gone = KEYS[1], KEYS[2]
local tombstone, ttl_ms, seq, count = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])

local kind, stands = redis.call('TYPE', key).ok, ''
if kind == 'hash' then stands = redis.call('HGET', key, 'seq') or '' end
if kind ~= ARGV[1] or stands ~= ARGV[2] then return 1 end
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
redis.call('HSET', key, unpack(fields)) -- before HDEL: see push.lua
for _, field in ipairs(redis.call('HKEYS', key)) do
  if not named[field] then redis.call('HDEL', key, field) end
end
if tombstone == 'seq' then
  redis.call('HDEL', gone, 'seq', 'whole')
else
  redis.call('HDEL', gone, tombstone)
end
return 0
