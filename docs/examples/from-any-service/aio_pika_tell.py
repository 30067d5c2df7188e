"""Tell an actor with aio-pika: aio_pika_tell.py TYPE ID METHOD ARGS KEY CONTENT_TYPE."""

import asyncio
import json
import os
import sys
from zlib import crc32

import aio_pika
import msgpack
from redis.asyncio import Redis


async def main(kind: str, id_: str, method: str, args: str, key: str, content_type: str) -> None:
    call = {"args": json.loads(args)}
    is_json = content_type == "application/json"
    body = json.dumps(call, ensure_ascii=False).encode() if is_json else msgpack.packb(call)
    async with Redis.from_url(os.environ["REDIS_URL"]) as store:
        count, generation = map(int, await store.hmget(f"ba:layout:{kind}", "partitions", "generation"))
    routing_key = f"{kind}.g{generation}.{crc32(id_.encode()) % count}"
    headers = {"ba-type": kind, "ba-id": id_, "ba-key": key}
    message = aio_pika.Message(body, headers=headers, content_type=content_type, type=method, delivery_mode=2)
    async with await aio_pika.connect(os.environ["AMQP_URL"]) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange("actors")
        await exchange.publish(message, routing_key, mandatory=True)  # raises what goes wrong


asyncio.run(main(*sys.argv[1:]))
