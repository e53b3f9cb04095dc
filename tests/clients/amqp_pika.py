"""A program as users write it with pika's blocking adapter: it knows nothing of tracing.

  produce   publishes with confirms to a queue, by way of the default exchange
  work      takes messages, works (sleeps) on each, and acknowledges it

Says on standard output, one JSON object a line, when each publish began and ended, and what each
message was and when its work began and ended (Unix seconds).
"""

import argparse
import json
import time

import pika


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["produce", "work"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="checkout", help="connection name")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--type", help="of the queue; the broker's default")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--payload", default="order {}", help="{} becomes the message's number")
    parser.add_argument("--work", type=float, default=0.0, help="seconds for each message")
    parser.add_argument("--prefetch", type=int, default=1)
    return parser.parse_args()


def say(**record):
    print(json.dumps(record), flush=True)


def connect(args):
    parameters = pika.URLParameters(args.url)
    parameters.client_properties = {"connection_name": args.name}
    return pika.BlockingConnection(parameters)


def produce(channel, args):
    channel.confirm_delivery()
    for number in range(args.count):
        properties = pika.BasicProperties(delivery_mode=2, message_id=f"m{number}",
                                          headers={"Color": "red", "number": number})
        began = time.time()
        channel.basic_publish("", args.queue, args.payload.format(number).encode(), properties)
        say(event="published", number=number, began=began, ended=time.time())


def work(channel, args):
    channel.basic_qos(prefetch_count=args.prefetch)
    say(event="ready")
    seen = 0
    for method, properties, body in channel.consume(args.queue):
        received = time.time()
        time.sleep(args.work)
        channel.basic_ack(method.delivery_tag)
        say(event="message", payload=body.decode(), headers=properties.headers,
            redelivered=method.redelivered, received=received, settled=time.time())
        seen += 1
        if seen >= args.count:
            break
    channel.cancel()


def main():
    args = arguments()
    connection = connect(args)
    channel = connection.channel()
    kind = {"x-queue-type": args.type} if args.type else None
    channel.queue_declare(args.queue, durable=True, arguments=kind)
    (produce if args.role == "produce" else work)(channel, args)
    connection.close()


main()
