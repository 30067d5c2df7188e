"""Ask an actor with pika: pika_ask.py TYPE ID METHOD ARGS KEY CONTENT_TYPE."""

import json
import os
import sys
from zlib import crc32

import msgpack
import pika
import redis

kind, id_, method, args, key, content_type = sys.argv[1:]
codec = json if content_type == "application/json" else msgpack
store = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=40)
count, generation = map(int, store.hmget(f"ba:layout:{kind}", "partitions", "generation"))
stream = f"ba:reply:{(reply_to := os.urandom(16).hex())}"
start, _ = store.pipeline().xadd(stream, {"hello": ""}).pexpire(stream, 60_000).execute()
headers = {"ba-type": kind, "ba-id": id_, "ba-key": key, "ba-deadline": int(start.split(b"-")[0]) + 30_000}
properties = pika.BasicProperties(content_type, type=method, headers=headers, delivery_mode=2)
properties.reply_to, properties.correlation_id = reply_to, "1"
with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
    channel = connection.channel()
    channel.confirm_delivery()  # from here on, basic_publish raises what goes wrong
    body = codec.dumps({"args": json.loads(args)})
    route = f"{kind}.g{generation}.{crc32(id_.encode()) % count}"
    channel.basic_publish("actors", route, body, properties, mandatory=True)
answer = store.xread({stream: start}, block=30_000) or sys.exit("no reply: try the same key again")
print(json.dumps(codec.loads(answer[0][1][0][1][b"b"])))
