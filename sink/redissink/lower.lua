-- Takes back applied positions that Postgres, restored to an older state, does not know.
--
-- KEYS  the hash of applied positions
-- ARGV  in turn a field, the text that was seen there, and the position that counts ('': none)
--
-- What changed since it was seen is left alone. Answers how many were taken back.

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
