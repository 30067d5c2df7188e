#!lua
-- Forget a reminder.
--
-- KEYS    1 reminders of the actor   2 index of reminders, by when they are due
-- ARGV    1 name   2 its member in the index
-- Answer  1 if there was one, 0 if not

local reminders, index = KEYS[1], KEYS[2]
local name, member = ARGV[1], ARGV[2]

redis.call('ZREM', index, member)
return redis.call('HDEL', reminders, name)
