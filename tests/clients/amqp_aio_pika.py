"""A program as users write it with aio-pika: it knows nothing of tracing.

The roles, arguments and output of amqp_pika.py.
"""

import argparse
import asyncio
import json
import time

import aio_pika


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["produce", "work"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="checkout", help="connection name")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--payload", default="order {}", help="{} becomes the message's number")
    parser.add_argument("--work", type=float, default=0.0, help="seconds for each message")
    parser.add_argument("--prefetch", type=int, default=1)
    return parser.parse_args()


def say(**record):
    print(json.dumps(record), flush=True)


async def produce(channel, args):
    for number in range(args.count):
        message = aio_pika.Message(
            args.payload.format(number).encode(), message_id=f"m{number}",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers={"Color": "red", "number": number})
        began = time.time()
        await channel.default_exchange.publish(message, routing_key=args.queue)
        say(event="published", number=number, began=began, ended=time.time())


async def work(queue, args):
    seen = 0
    async with queue.iterator() as messages:
        say(event="ready")
        async for message in messages:
            async with message.process():
                received = time.time()
                await asyncio.sleep(args.work)
            say(event="message", payload=message.body.decode(), headers=message.headers,
                redelivered=message.redelivered, received=received, settled=time.time())
            seen += 1
            if seen >= args.count:
                break


async def main():
    args = arguments()
    connection = await aio_pika.connect_robust(
        args.url, client_properties={"connection_name": args.name})
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=args.prefetch)
        queue = await channel.declare_queue(args.queue, durable=True)
        await (produce(channel, args) if args.role == "produce" else work(queue, args))


asyncio.run(main())
