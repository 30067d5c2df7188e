"""Tell an actor in JSON without knowing its partitions: pika_anywhere.py TYPE ID METHOD ARGS KEY."""

import json
import os
import sys

import pika

kind, id_, method, args, key = sys.argv[1:]
headers = {"ba-type": kind, "ba-id": id_, "ba-key": key}
properties = pika.BasicProperties("application/json", type=method, headers=headers, delivery_mode=2)
with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
    channel = connection.channel()
    channel.confirm_delivery()
    body = json.dumps({"args": json.loads(args)}, ensure_ascii=False).encode()
    channel.basic_publish("actors.in", kind, body, properties, mandatory=True)
