-- Takes back applied positions that Postgres, restored to an older state, does not know.
--
-- KEYS  The hash of applied positions.
-- ARGV  Triples of a field, the text that the caller saw in it, and the position of Postgres ('': none).
--
-- A field that has changed since is left alone. Answers how many positions were taken back.

local lowered = 0
for i = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    if ARGV[i + 2] == '' then
      redis.call('HDEL', KEYS[1], ARGV[i])
    else
      redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    end
    lowered = lowered + 1
  end
end
return lowered
