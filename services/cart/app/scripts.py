"""The changes of a cart, in Lua: Redis runs each as a whole, so parallel ones add up.

A cart is one hash: a field a product with its quantity, `currency`, and `checkout_token`. Product
ids stay strings, since Lua's numbers are exact to 2^53 only. A script answers with the hash as it
is afterwards, or with one word that says why it changed nothing.
"""

_SHARED = """
local cart = KEYS[1]

local function line_count()
  return math.max(redis.call('HLEN', cart) - 2, 0)
end

local function finish(ttl)
  if line_count() == 0 then
    redis.call('DEL', cart)
  else
    redis.call('EXPIRE', cart, ttl)
  end
  return redis.call('HGETALL', cart)
end
"""

ADD = (
    _SHARED
    + """
local ttl, product, qty, currency, seen, token, max_qty, max_lines = unpack(ARGV)
local held = redis.call('HGET', cart, 'currency')
if held and held ~= currency and held ~= seen then
  return 'currency'
end
local before = redis.call('HGET', cart, product)
if not before and line_count() >= tonumber(max_lines) then
  return 'full'
end
if tonumber(before or 0) + tonumber(qty) > tonumber(max_qty) then
  return 'quantity'
end
redis.call('HINCRBY', cart, product, qty)
redis.call('HSET', cart, 'currency', currency)
redis.call('HSETNX', cart, 'checkout_token', token)
return finish(ttl)
"""
)

SET_QUANTITY = (
    _SHARED
    + """
local ttl, product, qty = unpack(ARGV)
if redis.call('HEXISTS', cart, product) == 0 then
  return 'missing'
end
redis.call('HSET', cart, product, qty)
return finish(ttl)
"""
)

REMOVE = (
    _SHARED
    + """
local ttl, product = unpack(ARGV)
if redis.call('HDEL', cart, product) == 0 then
  return redis.call('HGETALL', cart)
end
return finish(ttl)
"""
)

CHECKED_OUT = (
    _SHARED
    + """
local ttl, token, renewed = unpack(ARGV)
if redis.call('HGET', cart, 'checkout_token') ~= token then
  return redis.call('HGETALL', cart)
end
for i = 4, #ARGV, 2 do
  local product, bought = ARGV[i], tonumber(ARGV[i + 1])
  local left = tonumber(redis.call('HGET', cart, product) or 0) - bought
  if left > 0 then
    redis.call('HSET', cart, product, string.format('%d', left))
  else
    redis.call('HDEL', cart, product)
  end
end
redis.call('HSET', cart, 'checkout_token', renewed)
return finish(ttl)
"""
)
