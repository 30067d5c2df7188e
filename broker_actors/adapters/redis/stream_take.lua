#!lua flags=allow-oom
-- Renew a consumer's lease, take note of what it has consumed, return what follows.
--
-- KEYS    1 stream hash   2 chunks   3 digests
-- ARGV    1 consumer's token   2 consumed up to   3 how many chunks to return
--         4 lease in ms   5 how long the stream is kept, in ms
-- Answer  {'OK', channel and token of a producer to signal or '' and '', chunk, ...},
--         {'GONE'}, {'FENCED'}, {'DROPPED'} or {'ENDED'}
--
-- Invariant: a producer that waits for credit is named to whoever grants enough of it, once.

local stream, chunks = KEYS[1], KEYS[2]
local token, after, at_most, lease_ms, kept_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]

local held = redis.call('HMGET', stream, 'token', 'dropped', 'consumed', 'wake_at', 'producer_channel', 'producer',
  'ended', 'written')
if not held[1] then
  return {'GONE'}
end
if held[1] ~= token then
  return {'FENCED'}
end
local dropped, consumed, wake_at = tonumber(held[2] or '0'), tonumber(held[3] or '0'), tonumber(held[4] or '0')
if after < dropped then
  return {'DROPPED'}
end
if at_most > 0 and held[7] and after >= tonumber(held[8]) then
  return {'ENDED'}
end

local time = redis.call('TIME')
redis.call('HSET', stream, 'lease', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + lease_ms))
if after > consumed then
  redis.call('HSET', stream, 'consumed', string.format('%.0f', after))
end
local answer = {'OK', '', ''}
if wake_at > 0 and after >= wake_at then
  redis.call('HSET', stream, 'wake_at', '0')
  answer[2], answer[3] = held[5] or '', held[6] or ''
end
if at_most > 0 then
  local found = redis.call('LRANGE', chunks, after - dropped, after - dropped + at_most - 1)
  redis.call('HSET', stream, 'waits', #found == 0 and '1' or '0')
  for n = 1, #found do
    answer[n + 3] = found[n]
  end
end
for n = 1, #KEYS do
  redis.call('PEXPIRE', KEYS[n], kept_ms)
end
return answer
