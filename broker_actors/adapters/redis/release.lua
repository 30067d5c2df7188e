#!lua flags=allow-oom
-- Note that a mailbox was given back in order, unless somebody else holds it.
--
-- KEYS    1 holders: mailbox -> '1' or '0', 32 characters of a nonce, name
-- ARGV    1 mailbox   2 name
-- Answer  1 if it was held by this name, else 0

local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.sub(held, 34) == ARGV[2] then
  return redis.call('HDEL', KEYS[1], ARGV[1])
end
return 0
