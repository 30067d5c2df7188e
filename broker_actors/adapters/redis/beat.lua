#!lua flags=allow-oom
-- Renew a worker's lease; tell who lives if that is news to it.
--
-- KEYS    1 leases, a sorted set of names by expiry in ms   2 records   3 digests of the records
--         4 reports   5 revision   6 names that left, by when that may be forgotten
-- ARGV    1 name   2 lease in ms   3 digest of its record   4 record, or '' if it should be here
--         5 report   6 revision the worker knows, or ''
-- Answer  {'UNKNOWN'} if the record is not here: ask again with it; else
--         {'RENEWED' or 'LEFT', revision, {name, record, name, record, ...} or nil if known}
--
-- Invariants: whoever has a lease has a record of that digest, and nobody else; the revision
-- changes whenever the records do. It rises with the store's time, so that one a worker knows
-- never comes back with other records, not even after the store lost its last writes.

local leases, records, digests, reports = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local revision, left = KEYS[5], KEYS[6]
local name, lease_ms, digest, record, report, known = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local changed = false

local expired = redis.call('ZRANGEBYSCORE', leases, '-inf', now_ms)
for _, other in ipairs(expired) do
  redis.call('ZREM', leases, other)
  redis.call('HDEL', records, other)
  redis.call('HDEL', digests, other)
  redis.call('HDEL', reports, other)
  changed = true
end
redis.call('ZREMRANGEBYSCORE', left, '-inf', now_ms)

local status = 'RENEWED'
if redis.call('ZSCORE', left, name) then
  status = 'LEFT'
elseif redis.call('HGET', digests, name) == digest then
  redis.call('ZADD', leases, now_ms + lease_ms, name)
  redis.call('HSET', reports, name, report)
elseif record ~= '' then
  redis.call('ZADD', leases, now_ms + lease_ms, name)
  redis.call('HSET', records, name, record)
  redis.call('HSET', digests, name, digest)
  redis.call('HSET', reports, name, report)
  changed = true
else
  status = 'UNKNOWN'
end

if changed then
  local before = tonumber(redis.call('GET', revision)) or 0
  redis.call('SET', revision, string.format('%.0f', math.max(before + 1, time[1] * 1000000 + time[2])))
end
if status == 'UNKNOWN' then
  return {status}
end

local current = redis.call('GET', revision) or '0'
if current == known then
  return {status, current, false}
end
return {status, current, redis.call('HGETALL', records)}
