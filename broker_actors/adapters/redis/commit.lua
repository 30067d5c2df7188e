#!lua
-- Write what a turn asks for: state, dedup record and outbox together, or nothing.
--
-- KEYS    1 actor hash   2 outbox hash   3 dirty index   4 keyed record (only if there is one)
-- ARGV    1 epoch   2 claim nonce   3 version   4 commit nonce   5 actor id
--         6 '1' if there is a state   7 state
--         8 digest   9 content type   10 reply   11 retention in ms   (of the record)
--         12... outbox items
-- Answer  COMMITTED or FENCED
--
-- Invariants: only the newest claim writes, at the version it last saw (equal, not at least:
-- that also holds after the store lost writes), and only once per commit nonce. Writing
-- raises the version by one; with nothing to write this is a fence check and writes nothing.
-- No decision reads a clock. Redis does not roll back what a failed script wrote, so checks
-- come first, then what could fail (another program's key in the way), then the rest.

local actor, outbox, dirty, record = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, claim, version, nonce, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local has_state, state = ARGV[6] == '1', ARGV[7]
local digest, content_type, reply, retention_ms = ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local FIRST_ITEM = 12

if record and not string.find(retention_ms, '^[1-9]%d*$') then
  return redis.error_reply('ERR the retention of a record must be a positive number of ms')
end

local held = redis.call('HMGET', actor, 'epoch', 'nonce', 'version', 'commit')
if held[4] == nonce then
  return 'COMMITTED'
end
if held[1] ~= epoch or held[2] ~= claim or held[3] ~= version then
  return 'FENCED'
end
if not has_state and not record and #ARGV < FIRST_ITEM then
  return 'COMMITTED'
end

local next_version = string.format('%.0f', tonumber(version) + 1)

if #ARGV >= FIRST_ITEM then
  -- The time is for the relay's patience only: nothing is decided by it here.
  local time = redis.call('TIME')
  redis.call('ZADD', dirty, 'NX', time[1] * 1000 + math.floor(time[2] / 1000), id)
end
for n = FIRST_ITEM, #ARGV do
  redis.call('HSET', outbox, next_version .. ':' .. (n - FIRST_ITEM), ARGV[n])
end
redis.call('HSET', actor, 'version', next_version, 'commit', nonce)
if has_state then
  redis.call('HSET', actor, 'state', state)
end
if record then
  redis.call('DEL', record)
  redis.call('HSET', record, 'digest', digest, 'type', content_type, 'reply', reply)
  redis.call('PEXPIRE', record, retention_ms)
end
return 'COMMITTED'
