#!lua
-- Take an actor: every older claim is fenced from now on.
--
-- KEYS    1 actor hash   2 outbox hash   3 index of ids   4 senders hash   5 parking   6 numbers by target
-- ARGV    1 nonce of the claim   2 actor id   3 how many senders to return at the most
-- Answer  {epoch, version, state or nil, {field, item, field, item, ...},
--          {sender, accepted numbers, ...}, how many senders there are, when forgotten ones were heard of,
--          entries parked, bytes parked, suspension or nil, how runs of the server found the actor or nil}
--
-- Invariant: the epochs of an actor rise. They start from the store's time, so that they
-- still rise when the store has lost its last second of writes; the maximum covers a clock
-- that went back. Every actor with an epoch is in the index. Asking again with the nonce that holds the actor changes nothing.
-- The first claim under another run of the server says so for good, for the run may have begun with less than was
-- known; and it makes the actor a new sender, which gives no number that it has given in a past that is lost.

local actor, outbox, ids, senders, parking, targets = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local nonce, id, senders_max = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- Which run this is, in few characters; nil if the user of the workers may not ask.
local function run_of_server()
  local ids_of_run = ''
  for _, part in ipairs({'server', 'replication'}) do
    local info = redis.pcall('INFO', part)
    if type(info) ~= 'string' then
      return nil
    end
    for _, name in ipairs({'run_id', 'master_replid'}) do
      ids_of_run = ids_of_run .. (string.match(info, name .. ':(%x+)') or '')
    end
  end
  return string.sub(redis.sha1hex(ids_of_run), 1, 8)
end

local held = redis.call('HMGET', actor, 'epoch', 'nonce', 'version', 'state', 'forgotten', 'parked',
  'suspended', 'run', 'runs')
local epoch, version, state, runs = held[1], held[3] or '0', held[4], held[9]

if held[2] ~= nonce then
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local before = tonumber(epoch) or 0
  local mine = math.max(before + 1, now_ms)
  epoch = string.format('%.0f', mine)
  local run = run_of_server()
  if run and run ~= held[8] then
    -- The newest one that is there, and this one: short enough for a small hash to stay one.
    local newest = runs and string.match(runs, '%S+$')
    runs = (newest and newest .. ' ' or '') .. string.format('%s:%.0f:%s', epoch, mine - before, version)
    redis.call('HSET', actor, 'run', run, 'runs', runs)
    redis.call('HDEL', actor, 'incarnation')
    redis.call('UNLINK', targets)
  end
  redis.call('ZADD', ids, 0, id)
  redis.call('HSET', actor, 'epoch', epoch, 'nonce', nonce, 'version', version)
end

local count = redis.call('HLEN', senders)
local known
if count <= senders_max then
  known = redis.call('HGETALL', senders)
else
  -- Some of them, others each time, so that in the end every one that may be forgotten is.
  known = redis.call('HRANDFIELD', senders, senders_max, 'WITHVALUES')
end
return {
  epoch, version, state, redis.call('HGETALL', outbox), known, count, held[5] or '0',
  redis.call('LLEN', parking), held[6] or '0', held[7], runs,
}
