"""A producer as users write it with nats-py: it knows nothing of tracing.

Says on standard output, one JSON object a line: when each publish began and ended (Unix seconds),
and where JetStream put the message.
"""

import argparse
import asyncio
import json
import time

import nats


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--name", default="checkout", help="connection name")
    parser.add_argument("--stream", help="publish to JetStream; created when absent")
    parser.add_argument("--subject", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--payload", default="order {}", help="{} becomes the message's number")
    parser.add_argument("--header", action="append", default=[], help="name=value")
    return parser.parse_args()


async def main():
    args = arguments()
    headers = dict(header.split("=", 1) for header in args.header) or None
    nc = await nats.connect(args.server, name=args.name)
    js = nc.jetstream()
    if args.stream:
        await js.add_stream(name=args.stream, subjects=[args.subject])
    for number in range(args.count):
        payload = args.payload.format(number).encode()
        began = time.time()
        ack = None
        if args.stream:
            ack = await js.publish(args.subject, payload, headers=headers)
        else:
            await nc.publish(args.subject, payload, headers=headers)
        print(json.dumps({
            "event": "published", "number": number, "began": began, "ended": time.time(),
            "stream": ack and ack.stream, "sequence": ack and ack.seq,
        }), flush=True)
    await nc.drain()


asyncio.run(main())
