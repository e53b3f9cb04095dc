"""A program as users write it with nats-py, whose server goes away and comes back.

Says on standard output, one JSON object a line, what it saw: {"event": "delivered"} when it holds a
message that it has not settled and waits for an answer, then "disconnected", "reconnected", and
"again" when the message came a second time and is settled.
"""

import argparse
import asyncio
import json

import nats
from nats.js.api import ConsumerConfig


def say(event):
    print(json.dumps({"event": event}), flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    args = parser.parse_args()
    back = asyncio.Event()

    async def disconnected():
        say("disconnected")

    async def reconnected():
        say("reconnected")
        back.set()

    nc = await nats.connect(args.server, name="restarted", reconnect_time_wait=0.1,
                            max_reconnect_attempts=-1, disconnected_cb=disconnected,
                            reconnected_cb=reconnected)
    js = nc.jetstream()
    await js.add_stream(name="RESTARTS", subjects=["restarts.new"])
    config = ConsumerConfig(ack_wait=1)
    subscription = await js.pull_subscribe("restarts.new", durable="worker", config=config)
    await js.publish("restarts.new", b"work")
    [message] = await subscription.fetch(1, timeout=5)
    # Somebody listens and does not answer.
    await nc.subscribe("restarts.asked")
    await nc.publish("restarts.asked", b"?", reply=nc.new_inbox())
    await nc.flush()
    say("delivered")
    await asyncio.wait_for(back.wait(), 20)
    for _ in range(20):
        try:
            [message] = await subscription.fetch(1, timeout=1)
            break
        except Exception:
            await asyncio.sleep(0.1)
    await message.ack_sync()
    say("again")
    await nc.close()


asyncio.run(main())
