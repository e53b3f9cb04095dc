"""JetStream consumers of every kind as users write them with nats-py: they know nothing of tracing.

  settle    takes messages one by one and says everything that can be said about one
  none      a consumer that acknowledges nothing
  all       a consumer whose acknowledgements stand for all messages before
  ordered   an ordered consumer
  statuses  pulls and waits until the server has said everything but a message
  batch     publishes three messages that the stream stores together or not at all
  size      publishes to a stream that takes small messages only

Each makes the stream ITEMS (subjects items.>) and says on standard output, one JSON object a line,
what came.
"""

import argparse
import asyncio
import json
import time

import nats
from nats.errors import NoRespondersError, TimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import APIError

SUBJECT = "items.new"


def say(**record):
    print(json.dumps(record), flush=True)


def saw(message, **more):
    metadata = message.metadata
    say(event="message", payload=message.data.decode(), headers=message.headers or {},
        sequence=metadata.sequence.stream, attempt=metadata.num_delivered, time=time.time(), **more)


async def publish(js, count):
    for number in range(count):
        await js.publish(SUBJECT, f"item {number}".encode())


async def settle(nc, js):
    await publish(js, 5)
    subscription = await js.pull_subscribe(SUBJECT, durable="settler", stream="ITEMS")

    async def next_one():
        [message] = await subscription.fetch(1, timeout=5)
        return message

    message = await next_one()
    answer = await message.ack_sync()
    saw(message, said="double", answer=answer.data.decode())
    message = await next_one()
    await message.in_progress()
    await message.term()
    saw(message, said="term")
    message = await next_one()
    await message.nak(delay=0.3)
    saw(message, said="nak")
    message = await next_one()
    # Done, and the next one please: to an inbox of our own.
    inbox = nc.new_inbox()
    following = await nc.subscribe(inbox, max_msgs=1)
    await nc.publish(message.reply, b'+NXT {"batch":1,"expires":5000000000}', reply=inbox)
    saw(message, said="next")
    message = await following.next_msg(timeout=5)
    await message.ack()
    saw(message, said="ack")
    message = await next_one()
    await message.ack()
    saw(message, said="ack")


async def push(nc, js, policy, acknowledge):
    await publish(js, 5)
    config = ConsumerConfig(ack_policy=policy)
    subscription = await js.subscribe(SUBJECT, stream="ITEMS", config=config, manual_ack=True)
    for _ in range(5):
        message = await subscription.next_msg(timeout=5)
        sequence = message.metadata.sequence.stream
        if sequence in acknowledge:
            # Answered, so that it is not in one packet with the next one.
            await message.ack_sync(timeout=5)
        saw(message)
    await nc.flush()


async def ordered(nc, js):
    await publish(js, 5)
    subscription = await js.subscribe(SUBJECT, stream="ITEMS", ordered_consumer=True,
                                      idle_heartbeat=0.2)
    for _ in range(5):
        saw(await subscription.next_msg(timeout=5))
    # Idle heartbeats meanwhile.
    await asyncio.sleep(0.7)
    await subscription.unsubscribe()


async def statuses(nc, js):
    try:
        await nc.request("nobody.listens", b"hello?", timeout=2)
    except NoRespondersError:
        say(event="status", code=503)
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    await js.add_consumer("ITEMS", ConsumerConfig(durable_name="idle", ack_policy="explicit"))
    pull = "$JS.API.CONSUMER.MSG.NEXT.ITEMS.idle"

    async def ask(request):
        await nc.publish(pull, json.dumps(request).encode(), reply=inbox)
        message = await subscription.next_msg(timeout=5)
        say(event="status", code=int(message.headers["Status"]))
        return message

    await ask({"batch": 1, "no_wait": True})
    await ask({"batch": 1, "expires": 200_000_000})
    await ask({"batch": 1, "expires": 3_000_000_000, "idle_heartbeat": 500_000_000})
    await js.delete_consumer("ITEMS", "idle")
    message = await subscription.next_msg(timeout=5)
    say(event="status", code=int(message.headers["Status"]))


async def batch(nc, js):
    headers = {"Nats-Batch-Id": "one"}
    for sequence in (1, 2):
        part = {**headers, "Nats-Batch-Sequence": str(sequence)}
        await nc.publish(SUBJECT, b"part", headers=part)
    headers.update({"Nats-Batch-Sequence": "3", "Nats-Batch-Commit": "1"})
    answer = await nc.request(SUBJECT, b"part", headers=headers, timeout=5)
    say(event="stored", **json.loads(answer.data))


async def size(nc, js):
    for number in range(3):
        try:
            ack = await js.publish(SUBJECT, b"x" * 60)
            say(event="stored", sequence=ack.seq)
        except APIError as error:
            say(event="refused", err_code=error.err_code)


ROLES = {
    "settle": settle,
    "none": lambda nc, js: push(nc, js, AckPolicy.NONE, ()),
    "all": lambda nc, js: push(nc, js, AckPolicy.ALL, (3, 5)),
    "ordered": ordered,
    "statuses": statuses,
    "batch": batch,
    "size": size,
}


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=list(ROLES))
    parser.add_argument("--server", required=True)
    args = parser.parse_args()
    nc = await nats.connect(args.server, name=args.role)
    js = nc.jetstream()
    config = StreamConfig(name="ITEMS", subjects=["items.>"])
    if args.role == "batch":
        config.allow_atomic = True
    if args.role == "size":
        # Room for the payload, and not for a context beside it.
        config.max_msg_size = 100
    await js.add_stream(config)
    await ROLES[args.role](nc, js)
    await nc.flush()
    await nc.close()


asyncio.run(main())
