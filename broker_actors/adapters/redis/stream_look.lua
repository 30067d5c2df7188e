#!lua
-- Tell a producer how it stands with its consumer, and when to wake it.
--
-- KEYS    1 stream hash   2 chunks   3 digests
-- ARGV    1 producer's token   2 how many chunks must be consumed to wake it, or 0
--         3 how long the stream is kept, in ms
-- Answer  {'OK', consumed, '1' if cancelled, '1' if the lease has ended}, {'GONE'} or {'FENCED'}

local stream = KEYS[1]
local held = redis.call('HMGET', stream, 'token', 'producer', 'consumed', 'cancelled', 'lease')
if not held[1] then
  return {'GONE'}
end
if held[2] ~= ARGV[1] then
  return {'FENCED'}
end
redis.call('HSET', stream, 'wake_at', ARGV[2])
for n = 1, #KEYS do
  redis.call('PEXPIRE', KEYS[n], ARGV[3])
end
local time = redis.call('TIME')
local silent = tonumber(held[5] or '0') < time[1] * 1000 + math.floor(time[2] / 1000)
return {'OK', held[3] or '0', held[4] or '0', silent and '1' or '0'}
