"""Everything that can become of a delivery, with pika as its users write it.

Says on standard output, one JSON object a line, each message that it takes.

  requeue    the first message is put back once
  reject     the first message is refused, and taken from the dead letters
  expire     a message expires, and is taken from the dead letters
  get        one by one, by basic.get
  multiple   one acknowledgement for all
  no_ack     nothing is acknowledged
  recover    all are asked for again, then acknowledged
  cancelled  the queue is deleted under the consumer
  dropped    the channel is closed over unsettled messages, which are then taken again
  quorum     a quorum queue, the first message put back twice
  stream     a stream, read twice from its beginning
  rpc        a question, answered by direct reply-to
  fanout     a message for two queues, one of them named by the broker
  wait       a message that waits a second and a half
"""

import argparse
import json
import time

import pika

# How long a role waits for one message.
PATIENCE = 20


def say(event, method, properties, body, **more):
    print(json.dumps({
        "event": event, "payload": body.decode(), "headers": properties.headers or {},
        "redelivered": method.redelivered, "tag": method.delivery_tag, "at": time.time(), **more,
    }, default=str), flush=True)


def publish(channel, args, properties=None):
    for number in range(args.count):
        channel.basic_publish("", args.queue, f"job {number}".encode(), properties)


def take(channel, queue, count, **options):
    """Takes so many messages, and leaves it to the caller what becomes of them."""
    taken = []
    for message in channel.consume(queue, inactivity_timeout=PATIENCE, **options):
        if message[0] is None:
            raise TimeoutError(f"only {len(taken)} of {count} messages came")
        say("message", *message)
        taken.append(message[0])
        if len(taken) == count:
            break
        yield message
    yield message


def requeue(channel, args):
    channel.queue_declare(args.queue)
    publish(channel, args, pika.BasicProperties(message_id="m"))
    for method, _, _ in take(channel, args.queue, args.count + 1):
        if method.delivery_tag == 1:
            channel.basic_nack(1, requeue=True)
        else:
            channel.basic_ack(method.delivery_tag)


def dead_letters(channel, args, **arguments):
    channel.queue_declare("dead")
    channel.queue_declare(args.queue, arguments={
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", **arguments})


def reject(channel, args):
    dead_letters(channel, args)
    publish(channel, args)
    for method, _, _ in take(channel, args.queue, args.count):
        if method.delivery_tag == 1:
            channel.basic_reject(1, requeue=False)
        else:
            channel.basic_ack(method.delivery_tag)
    channel.cancel()
    for method, _, _ in take(channel, "dead", 1):
        channel.basic_ack(method.delivery_tag)


def expire(channel, args):
    dead_letters(channel, args, **{"x-message-ttl": 300})
    publish(channel, args)
    for method, _, _ in take(channel, "dead", args.count):
        channel.basic_ack(method.delivery_tag)


def get(channel, args):
    channel.queue_declare(args.queue)
    publish(channel, args)
    taken = 0
    while taken < args.count:
        method, properties, body = channel.basic_get(args.queue)
        if method:
            say("message", method, properties, body)
            channel.basic_ack(method.delivery_tag)
            taken += 1
    method = channel.basic_get(args.queue)[0]
    print(json.dumps({"event": "empty", "method": str(method)}), flush=True)


def multiple(channel, args):
    channel.queue_declare(args.queue)
    publish(channel, args)
    for method, _, _ in take(channel, args.queue, args.count):
        if method.delivery_tag == args.count:
            channel.basic_ack(method.delivery_tag, multiple=True)


def no_ack(channel, args):
    channel.queue_declare(args.queue)
    publish(channel, args)
    for _ in take(channel, args.queue, args.count, auto_ack=True):
        pass


def recover(channel, args):
    channel.queue_declare(args.queue)
    publish(channel, args)
    seen = 0
    for method, _, _ in take(channel, args.queue, 2 * args.count):
        seen += 1
        if seen == args.count:
            channel.basic_recover(requeue=True)
        elif seen > args.count:
            channel.basic_ack(method.delivery_tag)


def cancelled(channel, args):
    channel.queue_declare(args.queue)
    publish(channel, args)
    tags = []

    def deliver(channel, method, properties, body):
        say("message", method, properties, body)
        tags.append(method.delivery_tag)
        if len(tags) == args.count:
            # Where the broker's word of it finds this channel unsettled.
            channel.connection.channel().queue_delete(args.queue)

    def cancel(frame):
        print(json.dumps({"event": "cancelled"}), flush=True)
        # They are still this channel's to settle, though the queue has gone.
        channel.basic_ack(tags[-1], multiple=True)
        channel.stop_consuming()

    channel.add_on_cancel_callback(cancel)
    channel.basic_consume(args.queue, deliver)
    channel.start_consuming()


def dropped(channel, args):
    channel.queue_declare(args.queue)
    publish(channel, args)
    for _ in take(channel, args.queue, args.count):
        pass
    connection = channel.connection
    channel.close()
    channel = connection.channel()
    for method, _, _ in take(channel, args.queue, args.count):
        channel.basic_ack(method.delivery_tag)


def quorum(channel, args):
    channel.queue_declare(args.queue, durable=True, arguments={"x-queue-type": "quorum"})
    publish(channel, args, pika.BasicProperties(delivery_mode=2, message_id="m"))
    refused = 0
    for method, _, body in take(channel, args.queue, args.count + 2):
        if body == b"job 0" and refused < 2:
            refused += 1
            channel.basic_nack(method.delivery_tag, requeue=True)
        else:
            channel.basic_ack(method.delivery_tag)


def stream(channel, args):
    channel.queue_declare(args.queue, durable=True, arguments={"x-queue-type": "stream"})
    channel.confirm_delivery()
    publish(channel, args)
    # A stream wants to know how many may be unsettled.
    channel.basic_qos(prefetch_count=100)
    for _ in range(2):
        for method, _, _ in take(channel, args.queue, args.count,
                                 arguments={"x-stream-offset": "first"}):
            channel.basic_ack(method.delivery_tag)
        channel.cancel()


def rpc(channel, args):
    channel.queue_declare(args.queue)
    served = channel.connection.channel()

    def answer(served, method, properties, body):
        served.basic_publish("", properties.reply_to, body.upper(),
                             pika.BasicProperties(correlation_id=properties.correlation_id))
        served.basic_ack(method.delivery_tag)

    served.basic_consume(args.queue, answer)
    answers = channel.consume("amq.rabbitmq.reply-to", auto_ack=True, inactivity_timeout=0.1)
    next(answers)
    for number in range(args.count):
        properties = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to",
                                          correlation_id=str(number))
        channel.basic_publish("", args.queue, f"question {number}".encode(), properties)
        message = next(answers)
        until = time.time() + PATIENCE
        while message[0] is None and time.time() < until:
            message = next(answers)
        say("answer", *message, correlation=message[1].correlation_id)
    channel.cancel()


def fanout(channel, args):
    channel.exchange_declare("news", "fanout")
    channel.queue_declare("archive")
    private = channel.queue_declare("", exclusive=True).method.queue
    for queue in ["archive", private]:
        channel.queue_bind(queue, "news")
    channel.basic_publish("news", "today", b"body")
    for queue in ["archive", private]:
        for method, _, _ in take(channel, queue, 1):
            channel.basic_ack(method.delivery_tag)
        channel.cancel()


def wait(channel, args):
    channel.queue_declare(args.queue)
    channel.basic_publish("", args.queue, b"body")
    time.sleep(1.5)
    for method, _, _ in take(channel, args.queue, 1):
        channel.basic_ack(method.delivery_tag)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="billing")
    parser.add_argument("--queue", default="jobs")
    parser.add_argument("--count", type=int, default=3)
    args = parser.parse_args()
    parameters = pika.URLParameters(args.url)
    parameters.client_properties = {"connection_name": args.name}
    connection = pika.BlockingConnection(parameters)
    globals()[args.role](connection.channel(), args)
    connection.close()


main()
