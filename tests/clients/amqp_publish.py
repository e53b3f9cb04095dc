"""Everything that a broker can answer to a publish, with pika as its users write it.

Says on standard output, one JSON object a line, what came of each message.

  topic      an exchange between the producer and the queue, with confirms
  plain      no confirms
  unroutable mandatory, to a queue that is not there
  full       to a queue that refuses what is beyond its length
  tx         three transactions: committed, rolled back, committed
  missing    to an exchange that is not there, which ends the channel
  headers    with properties of every kind, and what a reader finds of them
"""

import argparse
import datetime
import decimal
import json

import pika

ROUTED = pika.BasicProperties(delivery_mode=2)


def say(**record):
    print(json.dumps(record, default=str), flush=True)


def topic(channel, args):
    channel.exchange_declare("shop", "topic")
    channel.queue_declare(args.queue)
    channel.queue_bind(args.queue, "shop", "orders.*")
    channel.confirm_delivery()
    for number in range(args.count):
        channel.basic_publish("shop", "orders.created", b"body", pika.BasicProperties(
            message_id=f"m{number}", correlation_id="c1"))
    method, properties, body = channel.basic_get(args.queue, auto_ack=True)
    say(event="got", headers=properties.headers, payload=body.decode())


def plain(channel, args):
    channel.queue_declare(args.queue)
    for _ in range(args.count):
        channel.basic_publish("", args.queue, b"body")


def unroutable(channel, args):
    channel.confirm_delivery()
    for _ in range(args.count):
        try:
            channel.basic_publish("", args.queue, b"body", ROUTED, mandatory=True)
            say(event="published")
        except pika.exceptions.UnroutableError as error:
            returned = error.messages[0]
            say(event="returned", code=returned.method.reply_code,
                text=returned.method.reply_text, payload=returned.body.decode(),
                headers=returned.properties.headers)


def full(channel, args):
    channel.queue_declare(args.queue, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.confirm_delivery()
    for _ in range(args.count):
        try:
            channel.basic_publish("", args.queue, b"body")
            say(event="confirmed")
        except pika.exceptions.NackError:
            say(event="refused")


def tx(channel, args):
    channel.queue_declare(args.queue)
    channel.tx_select()
    for commit in [True, False, True]:
        for _ in range(args.count):
            channel.basic_publish("", args.queue, b"body")
        (channel.tx_commit if commit else channel.tx_rollback)()
    declared = channel.queue_declare(args.queue, passive=True)
    say(event="stored", messages=declared.method.message_count)


def missing(channel, args):
    channel.confirm_delivery()
    try:
        channel.basic_publish("nowhere", args.queue, b"body")
    except pika.exceptions.ChannelClosedByBroker as error:
        say(event="closed", code=error.reply_code)


def headers(channel, args):
    channel.queue_declare(args.queue)
    table = {"text": "value", "integer": 7, "long": 2**40, "list": [1, "a", None],
             "bytes": b"\0\xff", "table": {"inner": True}, "nothing": None,
             "decimal": decimal.Decimal("1.25"),
             "when": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)}
    properties = pika.BasicProperties(
        "text/plain", "utf-8", table, 1, 5, "c", "somebody", "60000", "m", 1700000000, "order",
        "guest", "app", "cluster")
    for body in [b"", b"x" * 200_000]:
        channel.basic_publish("", args.queue, body, properties)
        _, found, content = channel.basic_get(args.queue, auto_ack=True)
        added = {name: found.headers.pop(name) for name in list(found.headers) if name not in table}
        say(event="got", same=found == properties and content == body, added=added)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="checkout")
    parser.add_argument("--queue", default="orders")
    parser.add_argument("--count", type=int, default=3)
    args = parser.parse_args()
    parameters = pika.URLParameters(args.url)
    parameters.client_properties = {"connection_name": args.name}
    connection = pika.BlockingConnection(parameters)
    globals()[args.role](connection.channel(), args)
    connection.close()


main()
