"""Pub/Sub as users write it with redis-py: none of it knows of tracing.

Says on standard output, one JSON object a line, what was published and what came.
"""

import argparse
import json

import redis


def say(**record):
    print(json.dumps(record), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--protocol", type=int, default=2)
    args = parser.parse_args()

    def connect(name):
        return redis.Redis.from_url(args.url, client_name=name, protocol=args.protocol,
                                    decode_responses=True)

    shop, billing = connect("shop"), connect("billing")
    with billing.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("orders", "plain")
        pubsub.psubscribe("ord*")
        for _ in range(3):
            pubsub.get_message(timeout=5)
        for number in range(2):
            receivers = shop.publish("orders", json.dumps({"order": number}))
            say(event="published", receivers=receivers)
        with shop.pipeline(transaction=True) as pipe:
            pipe.set("last", 1)
            pipe.publish("orders", json.dumps({"order": 2}))
            say(event="published", receivers=pipe.execute()[1])
        say(event="published", receivers=shop.publish("nobody", json.dumps({"order": 3})))
        while message := pubsub.get_message(timeout=1):
            say(event="got", type=message["type"], data=json.loads(message["data"]))


main()
