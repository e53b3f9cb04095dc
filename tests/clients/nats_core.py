"""Programs of core NATS as users write them with nats-py: they know nothing of tracing.

  subscribe   takes messages, in a queue group if one is named
  reply       answers each request with its own bytes, in upper case
  request     asks, and says what was answered

Each says on standard output, one JSON object a line, what it got; {"event": "ready"} comes when
the broker knows of the subscription.
"""

import argparse
import asyncio
import json

import nats


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["subscribe", "reply", "request"])
    parser.add_argument("--server", required=True)
    parser.add_argument("--name", default="core")
    parser.add_argument("--subject", required=True)
    parser.add_argument("--queue", default="")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--payload", default="question {}")
    return parser.parse_args()


def say(event, message):
    print(json.dumps({"event": event, "subject": message.subject, "headers": message.headers or {},
                      "payload": message.data.decode("latin-1")}), flush=True)


async def take(nc, args):
    subscription = await nc.subscribe(args.subject, queue=args.queue)
    await nc.flush()
    print(json.dumps({"event": "ready"}), flush=True)
    seen = 0
    async for message in subscription.messages:
        say("message", message)
        if args.role == "reply":
            await message.respond(message.data.upper())
        seen += 1
        if seen >= args.count:
            break
    await nc.flush()


async def ask(nc, args):
    for number in range(args.count):
        answer = await nc.request(args.subject, args.payload.format(number).encode(), timeout=10)
        say("answer", answer)


async def main():
    args = arguments()
    nc = await nats.connect(args.server, name=args.name)
    await (ask if args.role == "request" else take)(nc, args)
    await nc.close()


asyncio.run(main())
