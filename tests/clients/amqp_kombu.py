"""A program as users write it with kombu: it knows nothing of tracing.

The roles, arguments and output of amqp_pika.py.
"""

import argparse
import json
import time

import kombu
from kombu.mixins import ConsumerMixin


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


def produce(connection, args):
    producer = connection.Producer()
    queue = kombu.Queue(args.queue, durable=True, routing_key=args.queue)
    for number in range(args.count):
        began = time.time()
        producer.publish(args.payload.format(number), routing_key=args.queue, declare=[queue],
                         message_id=f"m{number}", headers={"Color": "red", "number": number})
        say(event="published", number=number, began=began, ended=time.time())


class Worker(ConsumerMixin):
    def __init__(self, connection, args):
        self.connection = connection
        self.args = args
        self.seen = 0

    def get_consumers(self, _, channel):
        queue = kombu.Queue(self.args.queue, durable=True, routing_key=self.args.queue)
        consumer = kombu.Consumer(channel, [queue], callbacks=[self.on_message],
                                  prefetch_count=self.args.prefetch)
        return [consumer]

    def on_consume_ready(self, *args, **kwargs):
        say(event="ready")

    def on_message(self, body, message):
        received = time.time()
        time.sleep(self.args.work)
        message.ack()
        say(event="message", payload=body, headers=message.headers,
            redelivered=message.delivery_info["redelivered"], received=received,
            settled=time.time())
        self.seen += 1
        self.should_stop = self.seen >= self.args.count


def main():
    args = arguments()
    # Confirms are an option of the transport.
    options = {"confirm_publish": True, "client_properties": {"connection_name": args.name}}
    with kombu.Connection(args.url, transport_options=options) as connection:
        if args.role == "produce":
            produce(connection, args)
        else:
            Worker(connection, args).run()


main()
