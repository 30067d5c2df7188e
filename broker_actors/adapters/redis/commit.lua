#!lua
-- Write what a turn asks for: state, dedup record and outbox together, or nothing.
--
-- KEYS    the actor hash, the outbox hash, the dirty index, the senders hash
--         then those of the parts that follow: the keyed record; the sender's replies hash;
--         the parking, the index of parkings, the bytes parked in the bucket;
--         the index of suspended actors; the sections hash
--         the numbers by target; the reminders, the index of reminders
--         the caller's reply channel, which is in another slot than the others: of a single server only
-- ARGV    epoch, claim nonce, version, commit nonce, actor id
--         then the parts, in this order, each its name and what is in it; one that is not there is left out:
--         state       its bytes
--         record      digest, content type, reply, retention in ms, '1' if it may replace one of another digest
--         acceptance  sender, its accepted numbers
--         replies     of that sender: those to forget, from this number, up to and without that one,
--                     the number of the envelope, '1' if that has a reply, the reply, retention of replies in ms
--         forgotten   when the last of all forgotten senders was heard of in ms, how many to forget now, they
--         parking     '1' if the head leaves, '1' if it is replaced, what replaces it, when the head is
--                     due in ms, how many entries are appended, they,
--                     twice how many senders those have, each with its accepted numbers
--         suspension  its bytes, or '' for the end of it, since when in ms
--         section     interleaved turn, number of its section or '0' if it is over, retention in ms
--         numbers     what a new sender is called, '1' if it must become one, how many targets
--                     it may remember, targets of the items ('' for an item without a number): how many, they
--         reminders   how many fields, six for each: name, member in the index, what it is from now on or
--                     '' for none, due in ms, '1' if it must be something for that, what
--         outbox      how many items, they; with none, to be told how many the outbox holds
--         caller      how many replies its channel holds unread, correlation id, content type, reply
-- Answer  {-1, how many items the outbox holds (0 without that part), 1 if the caller was given its reply now,
--         mark of each item if any is numbered ('' for one that is not, nil for one that has left), ...}
--         for committed; {the version the store holds} for fenced
--
-- Arguments are read in the order in which `turns.py` writes them: a new field is a `take()`
-- here and a value there, at the same place, and a part begins with its name in both. Lua 5.1,
-- which every server has, evaluates them from left to right.
--
-- Invariants: only the newest claim writes, at the version it last saw (equal, not at least:
-- that also holds after the store lost writes), and only once per commit nonce. Writing
-- raises the version by one; with nothing to write this is a fence check and writes nothing.
-- What a delayed tell did after it was cancelled is not written, nor what another call did
-- with a key that was used up while it ran.
-- A number is used once: it is taken before anything refers to it.
-- No decision reads a clock. Redis does not roll back what a failed script wrote, so checks
-- come first, then what could fail (another program's key in the way), then the rest.

local POSITIVE = '^[1-9]%d*$'
local COMMITTED = -1

local keys_taken, args_taken = 0, 0

local function take_key()
  keys_taken = keys_taken + 1
  return KEYS[keys_taken]
end

local function take()
  args_taken = args_taken + 1
  return ARGV[args_taken]
end

-- Whether the next part is this one.
local function part(name)
  if ARGV[args_taken + 1] ~= name then
    return false
  end
  args_taken = args_taken + 1
  return true
end

-- A list is not copied: it is where its items lie in ARGV, first and last.
local function take_list()
  local first = args_taken + 2
  args_taken = first - 1 + tonumber(ARGV[first - 1])
  return {first = first, last = args_taken}
end

local actor, outbox, dirty, senders = take_key(), take_key(), take_key(), take_key()
local epoch, claim, version, nonce, id = take(), take(), take(), take(), take()

local state = part('state') and take()

local record = part('record') and {
  key = take_key(), digest = take(), content_type = take(), reply = take(), retention_ms = take(),
  replaces = take() == '1',
}

local acceptance = part('acceptance') and {sender = take(), accepted = take()}
local replies = part('replies') and {
  key = take_key(), drop_from = tonumber(take()), drop_to = tonumber(take()),
  number = take(), has_answer = take() == '1', answer = take(), kept_ms = take(),
}
local forgotten = part('forgotten') and {until_ms = take(), senders = take_list()}

local parking = part('parking') and {
  key = take_key(), index = take_key(), total = take_key(),
  pops = take() == '1', replaces = take() == '1', head = take(), due_ms = take(),
  appended = take_list(), accepted = take_list(),
}

local suspension = part('suspension') and {index = take_key(), bytes = take(), since_ms = take()}
local section = part('section') and {
  key = take_key(), turn = take(), number = take(), kept_ms = take(),
}
local numbers = part('numbers') and {
  key = take_key(), incarnation = take(), renew = take() == '1', targets_max = tonumber(take()),
  targets = take_list(),
}

local reminders = part('reminders') and {key = take_key(), index = take_key(), fields = take_list()}

local in_outbox = part('outbox') and take_list()
local items = in_outbox and in_outbox.first <= in_outbox.last and in_outbox

local caller = part('caller') and {
  channel = take_key(), unread_max = take(), correlation_id = take(), content_type = take(), reply = take(),
}

if args_taken ~= #ARGV or keys_taken ~= #KEYS then
  return redis.error_reply('ERR a commit has other keys or arguments than this script reads')
end
if record and not string.find(record.retention_ms, POSITIVE) then
  return redis.error_reply('ERR the retention of a record must be a positive number of ms')
end
if replies and not string.find(replies.kept_ms, POSITIVE) then
  return redis.error_reply('ERR the retention of replies must be a positive number of ms')
end
if section and not string.find(section.kept_ms, POSITIVE) then
  return redis.error_reply('ERR the retention of sections must be a positive number of ms')
end

local next_version = string.format('%.0f', tonumber(version) + 1)

-- The field of the item at a place, from 0: see `item_index`.
local function field_of(place)
  return next_version .. ':' .. epoch .. string.format('%04d', place)
end

-- What was written is read back: an answer to a commit that is sent again is that of the first time.
local function committed(answered)
  local answer = {COMMITTED, in_outbox and redis.call('HLEN', outbox) or 0, answered and 1 or 0}
  if numbers and items then
    for n = items.first, items.last do
      local item = redis.call('HGET', outbox, field_of(n - items.first))
      answer[#answer + 1] = item and string.sub(item, 1, #item - #ARGV[n])
    end
  end
  return answer
end

-- A caller that is gone, or another program's key in its place, is no reason not to commit.
local function give_reply()
  if not caller then
    return false
  end
  local given = redis.pcall(
    'XADD', caller.channel, 'NOMKSTREAM', 'MAXLEN', '~', caller.unread_max, '*',
    'c', caller.correlation_id, 't', caller.content_type, 'b', caller.reply
  )
  return type(given) == 'string'
end

local held = redis.call('HMGET', actor, 'epoch', 'nonce', 'version', 'commit', 'incarnation')
if held[4] == nonce then
  return committed()
end
if held[1] ~= epoch or held[2] ~= claim or held[3] ~= version then
  return {tonumber(held[3] or '0')}
end
if record then
  local used = redis.call('HGET', record.key, 'digest')
  if used == 'cancelled' or (used and used ~= record.digest and not record.replaces) then
    return {tonumber(held[3] or '0')}
  end
end
if not (state or record or acceptance or parking or suspension or section or numbers or reminders or items) then
  return committed(give_reply())
end

-- What is not what it should be fails here, and nothing is written.
if in_outbox then
  redis.call('HLEN', outbox)
end
if items then
  redis.call('ZCARD', dirty)
end
if items or parking or numbers then
  redis.call('HLEN', senders)
end
if numbers then
  numbers.known = redis.call('HLEN', numbers.key)
end
if replies then
  replies.kept = redis.call('HLEN', replies.key)
end
if section then
  redis.call('HLEN', section.key)
end
if parking then
  redis.call('LLEN', parking.key)
  redis.call('ZCARD', parking.index)
  redis.call('STRLEN', parking.total)
end
if suspension then
  redis.call('ZCARD', suspension.index)
end
if reminders then
  redis.call('HLEN', reminders.key)
  redis.call('ZCARD', reminders.index)
end

local function park()
  local bytes = 0
  if parking.pops then
    bytes = bytes - string.len(redis.call('LPOP', parking.key) or '')
  elseif parking.replaces then
    local head = redis.call('LINDEX', parking.key, 0)
    if head then
      redis.call('LSET', parking.key, 0, parking.head)
      bytes = string.len(parking.head) - string.len(head)
    end
  end
  for n = parking.appended.first, parking.appended.last do
    redis.call('RPUSH', parking.key, ARGV[n])
    bytes = bytes + string.len(ARGV[n])
  end
  for n = parking.accepted.first, parking.accepted.last, 2 do
    redis.call('HSET', senders, ARGV[n], ARGV[n + 1])
  end
  if redis.call('INCRBY', parking.total, bytes) <= 0 then
    redis.call('DEL', parking.total)
  end
  redis.call('HINCRBY', actor, 'parked', bytes)
  if redis.call('LLEN', parking.key) == 0 then
    redis.call('HDEL', actor, 'parked')
    redis.call('ZREM', parking.index, id)
  else
    redis.call('ZADD', parking.index, parking.due_ms, id)
  end
end

local function wind(n)
  local name, member, reminder, due_ms = ARGV[n], ARGV[n + 1], ARGV[n + 2], ARGV[n + 3]
  local must_be, instead_of = ARGV[n + 4] == '1', ARGV[n + 5]
  if must_be and redis.call('HGET', reminders.key, name) ~= instead_of then
    return
  end
  if reminder == '' then
    redis.call('HDEL', reminders.key, name)
    redis.call('ZREM', reminders.index, member)
  else
    redis.call('HSET', reminders.key, name, reminder)
    redis.call('ZADD', reminders.index, due_ms, member)
  end
end

local mark = function() return '' end
if numbers then
  local incarnation = held[5]
  if not incarnation or numbers.renew or numbers.known >= numbers.targets_max then
    incarnation = numbers.incarnation
    redis.call('UNLINK', numbers.key)
    redis.call('HSET', actor, 'incarnation', incarnation)
  end
  mark = function(n)
    local target = ARGV[numbers.targets.first + n]
    if target == '' then
      return ''
    end
    return incarnation .. ':' .. string.format('%.0f', redis.call('HINCRBY', numbers.key, target, 1)) .. ':'
  end
end

if items then
  -- The time is for the relay's patience only: nothing is decided by it here.
  local time = redis.call('TIME')
  redis.call('ZADD', dirty, 'NX', time[1] * 1000 + math.floor(time[2] / 1000), id)
  for n = items.first, items.last do
    redis.call('HSET', outbox, field_of(n - items.first), mark(n - items.first) .. ARGV[n])
  end
end
-- Where nothing was looked at for it, it is the first thing written: what fails then writes nothing. Behind it
-- nothing may fail, for a number that was accepted without its turn is a lost one.
if acceptance then
  redis.call('HSET', senders, acceptance.sender, acceptance.accepted)
end
if state then
  redis.call('HSET', actor, 'version', next_version, 'commit', nonce, 'state', state)
else
  redis.call('HSET', actor, 'version', next_version, 'commit', nonce)
end
if record then
  redis.call('DEL', record.key)
  redis.call('HSET', record.key, 'digest', record.digest, 'type', record.content_type, 'reply', record.reply)
  redis.call('PEXPIRE', record.key, record.retention_ms)
end
if replies and replies.kept > 0 then
  for n = replies.drop_from, replies.drop_to - 1 do
    redis.call('HDEL', replies.key, string.format('%.0f', n))
  end
end
if replies and replies.has_answer then
  redis.call('HSET', replies.key, replies.number, replies.answer)
  redis.call('PEXPIRE', replies.key, replies.kept_ms)
end
if forgotten then
  for n = forgotten.senders.first, forgotten.senders.last do
    redis.call('HDEL', senders, ARGV[n])
  end
  redis.call('HSET', actor, 'forgotten', forgotten.until_ms)
end
if parking then
  park()
end
if suspension and suspension.bytes == '' then
  redis.call('HDEL', actor, 'suspended')
  redis.call('ZREM', suspension.index, id)
elseif suspension then
  redis.call('HSET', actor, 'suspended', suspension.bytes)
  redis.call('ZADD', suspension.index, suspension.since_ms, id)
end
if section and section.number == '0' then
  redis.call('HDEL', section.key, section.turn)
elseif section then
  redis.call('HSET', section.key, section.turn, section.number)
  redis.call('PEXPIRE', section.key, section.kept_ms)
end
if reminders then
  for n = reminders.fields.first, reminders.fields.last, 6 do
    wind(n)
  end
end
return committed(give_reply())
