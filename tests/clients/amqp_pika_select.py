"""A program as users write it with pika's select adapter, in callbacks: it traces nothing.

The roles, arguments and output of amqp_pika.py.
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
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--payload", default="order {}", help="{} becomes the message's number")
    parser.add_argument("--work", type=float, default=0.0, help="seconds for each message")
    parser.add_argument("--prefetch", type=int, default=1)
    return parser.parse_args()


def say(**record):
    print(json.dumps(record), flush=True)


class Program:
    def __init__(self, args):
        self.args = args
        self.began = {}
        self.seen = 0
        self.failure = None
        parameters = pika.URLParameters(args.url)
        parameters.client_properties = {"connection_name": args.name}
        self.connection = pika.SelectConnection(
            parameters, on_open_callback=lambda c: c.channel(on_open_callback=self.opened),
            on_open_error_callback=self.ended, on_close_callback=self.ended)

    def run(self):
        self.connection.ioloop.start()
        if self.failure:
            raise self.failure

    def ended(self, connection, reason):
        if not isinstance(reason, pika.exceptions.ConnectionClosedByClient):
            self.failure = reason
        connection.ioloop.stop()

    def opened(self, channel):
        self.channel = channel
        channel.queue_declare(self.args.queue, durable=True, callback=self.declared)

    def declared(self, _):
        if self.args.role == "produce":
            self.channel.confirm_delivery(self.confirmed, callback=self.produce)
        else:
            self.channel.basic_qos(prefetch_count=self.args.prefetch, callback=self.work)

    def produce(self, _):
        for number in range(self.args.count):
            properties = pika.BasicProperties(delivery_mode=2, message_id=f"m{number}",
                                              headers={"Color": "red", "number": number})
            self.began[number + 1] = time.time()
            self.channel.basic_publish("", self.args.queue,
                                       self.args.payload.format(number).encode(), properties)

    def confirmed(self, frame):
        tag, several = frame.method.delivery_tag, frame.method.multiple
        done = [n for n in self.began if n == tag or (several and n < tag)]
        for number in sorted(done):
            say(event="published", number=number - 1, began=self.began.pop(number),
                ended=time.time(), answer=frame.method.NAME)
        if not self.began:
            self.connection.close()

    def work(self, _):
        self.channel.basic_consume(self.args.queue, self.delivered,
                                   callback=lambda _: say(event="ready"))

    def delivered(self, channel, method, properties, body):
        received = time.time()
        time.sleep(self.args.work)
        channel.basic_ack(method.delivery_tag)
        say(event="message", payload=body.decode(), headers=properties.headers,
            redelivered=method.redelivered, received=received, settled=time.time())
        self.seen += 1
        if self.seen == self.args.count:
            self.connection.close()


Program(arguments()).run()
