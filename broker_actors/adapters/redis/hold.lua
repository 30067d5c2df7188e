#!lua flags=allow-oom
-- Note who is served from a mailbox; tell whether nobody else still held it.
--
-- KEYS    1 holders: mailbox -> '1' or '0' (what was answered), nonce of that call, name
-- ARGV    1 mailbox   2 name   3 nonce of this call, 32 characters
-- Answer  1 if it was released, or held by this name; 0 if somebody else held it
--
-- Invariant: asked again with the nonce of the last call, it answers the same. The first
-- time made this name the holder, which must not hide who held it before.

local holders = KEYS[1]
local mailbox, name, nonce = ARGV[1], ARGV[2], ARGV[3]

local held = redis.call('HGET', holders, mailbox)
if held and string.sub(held, 2, 33) == nonce then
  return tonumber(string.sub(held, 1, 1))
end
local orderly = (not held or string.sub(held, 34) == name) and 1 or 0
redis.call('HSET', holders, mailbox, orderly .. nonce .. name)
return orderly
