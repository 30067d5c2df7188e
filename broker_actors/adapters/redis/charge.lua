#!lua
-- Count one more run of a suspect, and remember the count for a while from now.
--
-- KEYS    1 charges of the envelope
-- ARGV    1 how long to remember them, in ms
-- Answer  how many runs began, this one included

local count = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return count
