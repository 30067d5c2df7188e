#!lua
-- Write what a turn asks for: state, dedup record and outbox together, or nothing.
--
-- KEYS    1 actor hash   2 outbox hash   3 dirty index   4 senders hash
--         then the keyed record, if there is one; then the sender's replies hash, if there is one
-- ARGV    1 epoch   2 claim nonce   3 version   4 commit nonce   5 actor id
--         6 '1' if there is a state   7 state
--         8 '1' if there is a record   9 digest   10 content type   11 reply   12 retention in ms
--         13 sender, or '' for no acceptance   14 its accepted numbers   15 number
--         16 '1' if the number has a reply   17 that reply   18 retention of replies in ms
--         19, 20 replies to forget: from this number, up to and without that one
--         21 when the last of the forgotten senders was heard of, in ms   22 how many follow
--         then the senders to forget, then the outbox items
-- Answer  -1 for committed; the version the store holds for fenced
--
-- Invariants: only the newest claim writes, at the version it last saw (equal, not at least:
-- that also holds after the store lost writes), and only once per commit nonce. Writing
-- raises the version by one; with nothing to write this is a fence check and writes nothing.
-- No decision reads a clock. Redis does not roll back what a failed script wrote, so checks
-- come first, then what could fail (another program's key in the way), then the rest.

local actor, outbox, dirty, senders = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, claim, version, nonce, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local has_state, state = ARGV[6] == '1', ARGV[7]
local has_record, digest, content_type, reply, retention_ms = ARGV[8] == '1', ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local sender, accepted, number = ARGV[13], ARGV[14], ARGV[15]
local has_answer, answer, answers_kept_ms = ARGV[16] == '1', ARGV[17], ARGV[18]
local drop_from, drop_to, forgotten_ms = tonumber(ARGV[19]), tonumber(ARGV[20]), ARGV[21]
local FIRST_FORGOTTEN = 23
local FIRST_ITEM = FIRST_FORGOTTEN + tonumber(ARGV[22])
local POSITIVE = '^[1-9]%d*$'
local COMMITTED = -1

local accepts = sender ~= ''
local record = has_record and KEYS[5]
local answers = accepts and KEYS[#KEYS]

if record and not string.find(retention_ms, POSITIVE) then
  return redis.error_reply('ERR the retention of a record must be a positive number of ms')
end
if accepts and not string.find(answers_kept_ms, POSITIVE) then
  return redis.error_reply('ERR the retention of replies must be a positive number of ms')
end

local held = redis.call('HMGET', actor, 'epoch', 'nonce', 'version', 'commit')
if held[4] == nonce then
  return COMMITTED
end
if held[1] ~= epoch or held[2] ~= claim or held[3] ~= version then
  return tonumber(held[3] or '0')
end
if not has_state and not record and not accepts and #ARGV < FIRST_ITEM then
  return COMMITTED
end

if accepts then
  -- Fails if they are not what they should be, and writes nothing: a number accepted without its turn is a lost one.
  redis.call('HLEN', senders)
  redis.call('HLEN', answers)
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
if accepts then
  redis.call('HSET', senders, sender, accepted)
  for n = drop_from, drop_to - 1 do
    redis.call('HDEL', answers, string.format('%.0f', n))
  end
  if has_answer then
    redis.call('HSET', answers, number, answer)
    redis.call('PEXPIRE', answers, answers_kept_ms)
  end
  for n = FIRST_FORGOTTEN, FIRST_ITEM - 1 do
    redis.call('HDEL', senders, ARGV[n])
  end
  if forgotten_ms ~= '0' then
    redis.call('HSET', actor, 'forgotten', forgotten_ms)
  end
end
return COMMITTED
