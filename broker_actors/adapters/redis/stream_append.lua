#!lua
-- Add the next chunk to a stream, under the actor's newest claim and the stream's newest producer.
--
-- KEYS    1 stream hash   2 chunks   3 digests   4 actor hash   5 the reply channel of 11, unless that is ''
-- ARGV    1 epoch   2 claim nonce, or '' for an actor without a claim   3 producer's token
--         4 number   5 digest   6 chunk   7 '1' if it is the last one
--         8 how many chunks are kept   9 how many bytes   10 how long the stream is kept, in ms
--         11 the channel of who made the call, or ''   12 how many replies it holds unread
--         13 what the correlation id of a signal begins with   14 how long a chunk may be that goes along
-- Answer  {'OK', consumed, '1' if cancelled, '1' if the lease has ended, channel and token of a
--         consumer that is still to be signalled or '' and ''}, {'GONE'}, {'FENCED'} or {'ENDED'}
--
-- Invariants: numbers have no gaps; nothing follows the last chunk; what is not consumed is
-- never dropped; a consumer that waits for a chunk is signalled here, or named to whoever adds one, once.

local stream, chunks, digests, actor = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, claim, producer = ARGV[1], ARGV[2], ARGV[3]
local seq, digest, chunk, ends = tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7] == '1'
local chunks_max, bytes_max, kept_ms = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]

local held = redis.call('HMGET', stream, 'token', 'producer', 'ended', 'written', 'dropped', 'bytes',
  'consumed', 'cancelled', 'lease', 'waits', 'channel')
if not held[1] then
  return {'GONE'}
end
if held[2] ~= producer then
  return {'FENCED'}
end
if claim ~= '' then
  local claimed = redis.call('HMGET', actor, 'epoch', 'nonce')
  if claimed[1] ~= epoch or claimed[2] ~= claim then
    return {'FENCED'}
  end
end
local written, dropped = tonumber(held[4] or '0'), tonumber(held[5] or '0')
local bytes, consumed = tonumber(held[6] or '0'), tonumber(held[7] or '0')
local time = redis.call('TIME')
local silent = tonumber(held[9] or '0') < time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {'OK', string.format('%.0f', consumed), held[8] or '0', silent and '1' or '0', '', ''}

if seq <= written then
  return answer
end
if held[3] then
  return {'ENDED'}
end
if seq ~= written + 1 then
  return redis.error_reply('ERR chunk ' .. ARGV[4] .. ' does not follow chunk ' .. string.format('%.0f', written))
end

redis.call('RPUSH', chunks, chunk)
redis.call('RPUSH', digests, digest)
bytes = bytes + #chunk
while dropped < consumed and (seq - dropped > chunks_max or bytes > bytes_max) do
  bytes = bytes - #redis.call('LPOP', chunks)
  redis.call('LPOP', digests)
  dropped = dropped + 1
end
redis.call('HSET', stream, 'written', string.format('%.0f', seq), 'dropped', string.format('%.0f', dropped),
  'bytes', string.format('%.0f', bytes), 'waits', '0')
if ends then
  redis.call('HSET', stream, 'ended', '1')
end
for n = 1, 3 do
  redis.call('PEXPIRE', KEYS[n], kept_ms)
end
local waits, given = held[10] == '1', nil
if waits and ARGV[11] ~= '' and held[11] == ARGV[11] then
  -- A channel that is gone, or another program's key in its place, is no reason not to add the chunk.
  given = redis.pcall('XADD', KEYS[5], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[12], '*',
    'c', ARGV[13] .. held[1], 't', '', 'b', #chunk <= tonumber(ARGV[14]) and ARGV[4] .. ':' .. chunk or '')
end
if waits and type(given) ~= 'string' then
  answer[5], answer[6] = held[11], held[1]
end
return answer
