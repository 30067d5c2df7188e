"""Tell an actor with pika: pika_tell.py TYPE ID METHOD ARGS KEY CONTENT_TYPE."""

import json
import os
import sys
from zlib import crc32

import msgpack
import pika
import redis

kind, id_, method, args, key, content_type = sys.argv[1:]
call = {"args": json.loads(args)}
is_json = content_type == "application/json"
body = json.dumps(call, ensure_ascii=False).encode() if is_json else msgpack.packb(call)

store = redis.Redis.from_url(os.environ["REDIS_URL"])
count, generation = map(int, store.hmget(f"ba:layout:{kind}", "partitions", "generation"))
routing_key = f"{kind}.g{generation}.{crc32(id_.encode()) % count}"

headers = {"ba-type": kind, "ba-id": id_, "ba-key": key}
properties = pika.BasicProperties(content_type, type=method, headers=headers, delivery_mode=2)
with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
    channel = connection.channel()
    channel.confirm_delivery()  # from here on, basic_publish raises what goes wrong
    channel.basic_publish("actors", routing_key, body, properties, mandatory=True)
