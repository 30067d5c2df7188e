#!lua
-- Note members of a group: all of them, or none if there would be too many.
--
-- KEYS    1 members, a sorted set of equal scores
-- ARGV    1 how many a group may have   2... ids
-- Answer  1 if they are members, 0 if they were refused

local new = 0
for n = 2, #ARGV do
  if not redis.call('ZSCORE', KEYS[1], ARGV[n]) then
    new = new + 1
  end
end
if redis.call('ZCARD', KEYS[1]) + new > tonumber(ARGV[1]) then
  return 0
end
for n = 2, #ARGV do
  redis.call('ZADD', KEYS[1], 0, ARGV[n])
end
return 1
