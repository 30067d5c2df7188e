#!lua
-- Keep a reply channel alive; make it if it is gone.
--
-- KEYS    1 stream
-- ARGV    1 time to live in ms   2 id up to which its reader has read, or ''
-- Answer  {1 if it had to be made, id of its last entry}
--
-- Invariant: afterwards the key is a stream with its full time to live. What lies before
-- the read id is given up; the last entry stays, so that its id can be compared.

local channel = KEYS[1]
local ttl_ms, read_id = ARGV[1], ARGV[2]

if redis.call('TYPE', channel).ok ~= 'stream' then
  redis.call('DEL', channel)
  local id = redis.call('XADD', channel, '*', 'hello', '')
  redis.call('PEXPIRE', channel, ttl_ms)
  return {1, id}
end

if read_id ~= '' then
  redis.call('XTRIM', channel, 'MINID', read_id)
end
redis.call('PEXPIRE', channel, ttl_ms)
local info = redis.call('XINFO', 'STREAM', channel)
for n = 1, #info, 2 do
  if info[n] == 'last-generated-id' then
    return {0, info[n + 1]}
  end
end
return redis.error_reply('XINFO STREAM without last-generated-id')
