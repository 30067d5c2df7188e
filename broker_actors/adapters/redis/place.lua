#!lua
-- Take, renew or give back a place of a limiter; the decisions are those of core/limiting.py.
--
-- KEYS    1 the limiter, a hash:
--           h:<holder>  '<token>:<until in ms>'   who has a place
--           w:<holder>  '<number>:<until in ms>'  who waits, by number of arrival
--           token       the highest token that was given
--           number      the last number of arrival
-- ARGV    1 'take', 'renew' or 'leave'   2 holder   3 lease in ms   4 places
--         5 patience with who waits, in ms   6 how many may wait
-- Answer  take: {'GRANTED', token}, {'WAITS', how many are before it} or {'FULL', 0}
--         renew: {'GRANTED', token} or {'LOST', 0}   leave: {'LEFT', 0}

local key, what, me = KEYS[1], ARGV[1], ARGV[2]
local lease_ms, places = tonumber(ARGV[3]), tonumber(ARGV[4])
local patience_ms, waiting_max = tonumber(ARGV[5]), tonumber(ARGV[6])

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local held, waiting, numbers = 0, 0, {}
local mine, my_number = nil, nil
local flat = redis.call('HGETALL', key)
for n = 1, #flat, 2 do
  local kind, holder = string.sub(flat[n], 1, 2), string.sub(flat[n], 3)
  if kind == 'h:' or kind == 'w:' then
    local first, until_ms = string.match(flat[n + 1], '^(%d+):(%d+)$')
    if tonumber(until_ms) <= now_ms or (what == 'leave' and holder == me) then
      redis.call('HDEL', key, flat[n])
    elseif kind == 'h:' then
      held = held + 1
      if holder == me then mine = first end
    else
      waiting = waiting + 1
      numbers[waiting] = tonumber(first)
      if holder == me then my_number = tonumber(first) end
    end
  end
end

if what == 'leave' then
  return {'LEFT', 0}
end

local function grant(token)
  redis.call('HSET', key, 'h:' .. me, string.format('%s:%.0f', token, now_ms + lease_ms))
  -- Tokens rise with the time, so nothing is lost with a limiter that nobody has used for so long.
  if redis.call('PTTL', key) < lease_ms + patience_ms then
    redis.call('PEXPIRE', key, 2 * (lease_ms + patience_ms))
  end
  return {'GRANTED', token}
end

if mine then
  return grant(mine)
end
if what == 'renew' then
  return {'LOST', 0}
end

if not my_number then
  if waiting >= waiting_max then
    return {'FULL', 0}
  end
  my_number = redis.call('HINCRBY', key, 'number', 1)
end
local ahead = 0
for _, number in ipairs(numbers) do
  if number < my_number then ahead = ahead + 1 end
end
if ahead >= places - held then
  redis.call('HSET', key, 'w:' .. me, string.format('%.0f:%.0f', my_number, now_ms + patience_ms))
  if redis.call('PTTL', key) < patience_ms then
    redis.call('PEXPIRE', key, 2 * patience_ms)
  end
  return {'WAITS', ahead}
end
redis.call('HDEL', key, 'w:' .. me)
local token = string.format('%.0f', math.max((tonumber(redis.call('HGET', key, 'token')) or 0) + 1, now_ms))
redis.call('HSET', key, 'token', token)
return grant(token)
