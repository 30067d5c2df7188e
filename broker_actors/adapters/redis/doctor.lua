#!lua
-- Try every kind of command the platform's scripts use, on a key of nobody, and leave nothing behind.
--
-- KEYS    1 a key that no one has
-- Answer  what was refused, in the server's words; empty if nothing was
--
-- Invariant: whatever is refused on the way, the key is gone in the end, and nobody sees it meanwhile.

local key = KEYS[1]
local refused = {}

local function try(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    refused[#refused + 1] = select(1, ...) .. ': ' .. answer.err
  end
end

try('EXISTS', key)
try('TYPE', key)
try('HSET', key, 'field', 'value')
try('HMGET', key, 'field')
try('HGETALL', key)
try('HLEN', key)
try('HDEL', key, 'field')
try('ZADD', key, 0, 'member')
try('ZSCORE', key, 'member')
try('ZCARD', key)
try('ZRANGE', key, 0, -1)
try('ZRANGEBYSCORE', key, 0, 0)
try('ZREM', key, 'member')
try('XADD', key, '*', 'field', 'value')
try('XINFO', 'STREAM', key)
try('XTRIM', key, 'MAXLEN', 0)
try('PEXPIRE', key, 1000)
try('TIME')
try('DEL', key)
redis.pcall('DEL', key)
return refused
