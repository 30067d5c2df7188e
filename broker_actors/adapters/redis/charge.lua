#!lua
-- Count one more run of a suspect, and remember the count for a while from now.
--
-- KEYS    1 charges of the envelope
-- ARGV    1 how long to remember them, in ms   2 how many may be counted
-- Answer  how many runs began, this one included; more than ARGV 2 when it is not counted

local charges = KEYS[1]
local kept_ms, at_most = ARGV[1], tonumber(ARGV[2])

local count = tonumber(redis.call('GET', charges) or '0') + 1
if count <= at_most then
  redis.call('SET', charges, count, 'PX', kept_ms)
end
return count
