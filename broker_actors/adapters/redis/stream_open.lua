#!lua
-- Make the chunk stream of a call, or join it: one consumer at a time, the last one counts.
--
-- KEYS    1 stream hash   2 chunks   3 digests
-- ARGV    1 consumer's channel   2 its token   3 digest of the call, or '' to join only
--         4 lease in ms   5 how long it is kept, in ms
-- Answer  'NEW', 'KNOWN', 'GONE' or 'CONFLICT'
--
-- Invariant: who has made a stream waits for its first chunk, and is signalled with it, or named to whoever adds it.

local stream = KEYS[1]
local channel, token, digest, lease_ms, kept_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local known = redis.call('HGET', stream, 'call')
if not known and digest == '' then
  return 'GONE'
end
if known and digest ~= '' and known ~= digest then
  return 'CONFLICT'
end
local time = redis.call('TIME')
local lease = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + lease_ms)
redis.call('HSET', stream, 'call', known or digest, 'channel', channel, 'token', token, 'lease', lease)
if not known then
  redis.call('HSET', stream, 'waits', '1')
end
for n = 1, #KEYS do
  redis.call('PEXPIRE', KEYS[n], kept_ms)
end
return known and 'KNOWN' or 'NEW'
