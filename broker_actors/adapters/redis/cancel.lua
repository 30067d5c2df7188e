#!lua
-- Settle the key of a delayed tell before it runs, so that it never commits.
--
-- KEYS    1 record of its key   2 index of what waits, by when it is due   3 what it calls, by member
-- ARGV    1 member   2 what a cancelled one has for a digest   3 content type   4 reply
--         5 due, in ms; 0 if that is not known   6 how long it is remembered after it was due, in ms
-- Answer  1 if it will not run; 0 if something was committed under its key

local record, index, methods = KEYS[1], KEYS[2], KEYS[3]
local member, cancelled, content_type, reply = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local due_ms, kept_ms = tonumber(ARGV[5]), tonumber(ARGV[6])

local digest = redis.call('HGET', record, 'digest')
if digest and digest ~= cancelled then
  return 0
end
local listed_ms = tonumber(redis.call('ZSCORE', index, member) or '0')
if not digest then
  -- The time is for how long it is remembered only: nothing is decided by it here.
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local until_ms = math.max(due_ms, listed_ms, now_ms) + kept_ms
  redis.call('HSET', record, 'digest', cancelled, 'type', content_type, 'reply', reply)
  redis.call('PEXPIRE', record, string.format('%.0f', until_ms - now_ms))
end
redis.call('ZREM', index, member)
redis.call('HDEL', methods, member)
return 1
