#!lua flags=allow-oom
-- Cancel a stream that has not ended, and keep it only a little longer.
--
-- KEYS    1 stream hash   2 chunks   3 digests
-- ARGV    1 consumer's token   2 how long it is kept, in ms
-- Answer  {channel, token} of the producer to signal, or {} for nobody

local stream = KEYS[1]
local held = redis.call('HMGET', stream, 'token', 'ended', 'producer_channel', 'producer')
if held[1] ~= ARGV[1] then
  return {}
end
for n = 1, #KEYS do
  redis.call('PEXPIRE', KEYS[n], ARGV[2])
end
if held[2] then
  return {}
end
redis.call('HSET', stream, 'cancelled', '1')
return held[4] and {held[3], held[4]} or {}
