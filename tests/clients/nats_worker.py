"""A JetStream worker as users write it with nats-py: it knows nothing of tracing.

The work is a sleep. Says on standard output, one JSON object a line: {"event": "ready"} when the
consumer exists, then what each message was and when its work began and ended (Unix seconds).
"""

import argparse
import asyncio
import hashlib
import json
import time

import nats
from nats.js.api import AckPolicy, ConsumerConfig


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--name", default="billing", help="connection name")
    parser.add_argument("--stream", required=True)
    parser.add_argument("--subject", required=True)
    parser.add_argument("--durable", default="billing-workers")
    parser.add_argument("--mode", choices=["pull", "push"], default="pull")
    parser.add_argument("--count", type=int, default=1, help="ends after so many settled messages")
    parser.add_argument("--batch", type=int, default=1, help="messages of one pull")
    parser.add_argument("--work", type=float, default=0.0, help="seconds for each message")
    parser.add_argument("--not-before", type=float, default=0.0,
                        help="takes no message before this time (Unix seconds)")
    parser.add_argument("--nak-first", type=float, metavar="DELAY",
                        help="refuses the first message once, to come again after the delay")
    return parser.parse_args()


def say(**record):
    print(json.dumps(record), flush=True)


async def work(message, args, seen):
    received = time.time()
    await asyncio.sleep(args.work)
    metadata = message.metadata
    if args.nak_first is not None and not seen:
        answer = "nak"
        await message.nak(delay=args.nak_first)
    else:
        answer = "ack"
        await message.ack()
    settled = time.time()
    say(event="message", subject=message.subject, headers=message.headers or {},
        payload=message.data.decode("latin-1"),
        sha256=hashlib.sha256(message.data).hexdigest(), stream=metadata.stream,
        sequence=metadata.sequence.stream, attempt=metadata.num_delivered,
        received=received, settled=settled, answer=answer)


async def pull(js, args):
    subscription = await js.pull_subscribe(args.subject, durable=args.durable, stream=args.stream)
    say(event="ready")
    await asyncio.sleep(args.not_before - time.time())
    seen = 0
    while seen < args.count:
        try:
            messages = await subscription.fetch(args.batch, timeout=5)
        except nats.errors.TimeoutError:
            continue
        for message in messages:
            await work(message, args, seen)
            seen += 1


async def push(js, args):
    await asyncio.sleep(args.not_before - time.time())
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT)
    subscription = await js.subscribe(args.subject, durable=args.durable, stream=args.stream,
                                      config=config, manual_ack=True)
    say(event="ready")
    seen = 0
    async for message in subscription.messages:
        await work(message, args, seen)
        seen += 1
        if seen >= args.count:
            break


async def main():
    args = arguments()
    nc = await nats.connect(args.server, name=args.name)
    await (pull if args.mode == "pull" else push)(nc.jetstream(), args)
    # The last acknowledgement has reached the broker when this is answered.
    await nc.flush()
    await nc.close()


asyncio.run(main())
