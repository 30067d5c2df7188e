#!lua
-- Take a chunk stream as its producer: every older producer is fenced from now on.
--
-- KEYS    1 stream hash   2 chunks   3 digests   4 actor hash
-- ARGV    1 epoch   2 claim nonce, or '' for an actor without a claim
--         3 producer's token   4 its channel   5 how long the stream is kept, in ms
-- Answer  {'OK', consumed, '1' if cancelled, '1' if the lease has ended, written, digest, ...},
--         {'GONE'}, {'FENCED'} or {'ENDED'}

local stream, digests, actor = KEYS[1], KEYS[3], KEYS[4]
local epoch, claim, producer, channel, kept_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local held = redis.call('HMGET', stream, 'token', 'ended', 'written', 'consumed', 'cancelled', 'lease')
if not held[1] then
  return {'GONE'}
end
if claim ~= '' then
  local claimed = redis.call('HMGET', actor, 'epoch', 'nonce')
  if claimed[1] ~= epoch or claimed[2] ~= claim then
    return {'FENCED'}
  end
end
if held[2] then
  return {'ENDED'}
end
redis.call('HSET', stream, 'producer', producer, 'producer_channel', channel, 'wake_at', '0')
for n = 1, 3 do
  redis.call('PEXPIRE', KEYS[n], kept_ms)
end
local time = redis.call('TIME')
local silent = tonumber(held[6] or '0') < time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {'OK', held[4] or '0', held[5] or '0', silent and '1' or '0', held[3] or '0'}
for _, digest in ipairs(redis.call('LRANGE', digests, 0, -1)) do
  answer[#answer + 1] = digest
end
return answer
