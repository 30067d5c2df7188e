"""Ask an actor with aio-pika, in JSON: aio_pika_ask.py TYPE ID METHOD ARGS KEY."""

import asyncio
import json
import os
import sys
from zlib import crc32

import aio_pika
from redis.asyncio import Redis


async def main(kind: str, id_: str, method: str, args: str, key: str) -> None:
    store = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=40, decode_responses=True)
    count, generation = map(int, await store.hmget(f"ba:layout:{kind}", "partitions", "generation"))
    stream = f"ba:reply:{(reply_to := os.urandom(16).hex())}"
    start, _ = await store.pipeline().xadd(stream, {"hello": ""}).pexpire(stream, 60_000).execute()
    headers = {"ba-type": kind, "ba-id": id_, "ba-key": key, "ba-deadline": int(start.split("-")[0]) + 30_000}
    body = json.dumps({"args": json.loads(args)}, ensure_ascii=False).encode()
    to_me = {"content_type": "application/json", "reply_to": reply_to, "correlation_id": "1"}
    message = aio_pika.Message(body, headers=headers, type=method, delivery_mode=2, **to_me)
    async with await aio_pika.connect(os.environ["AMQP_URL"]) as connection:
        exchange = await (await connection.channel(on_return_raises=True)).get_exchange("actors")
        await exchange.publish(message, f"{kind}.g{generation}.{crc32(id_.encode()) % count}", mandatory=True)
    answer = await store.xread({stream: start}, block=30_000) or sys.exit("no reply: try the same key again")
    print(answer[0][1][0][1]["b"])


asyncio.run(main(*sys.argv[1:]))
