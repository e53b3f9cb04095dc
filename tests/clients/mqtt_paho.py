"""A program as users write it with paho-mqtt: it knows nothing of tracing.

  produce   publishes to a topic at QoS 1
  work      subscribes, and takes messages

Says on standard output, one JSON object a line, what each message was; `headers` are the user
properties, which MQTT has from version 5 on.
"""

import argparse
import json
import threading
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["produce", "work"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="checkout", help="client id")
    parser.add_argument("--queue", required=True, help="the topic")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--payload", default="order {}", help="{} becomes the message's number")
    parser.add_argument("--version", type=int, choices=[3, 5], default=5)
    return parser.parse_args()


def say(**record):
    print(json.dumps(record), flush=True)


def client(args):
    version = mqtt.MQTTv5 if args.version == 5 else mqtt.MQTTv311
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"{args.name}-{args.role}",
                       protocol=version)
    url = urlsplit(args.url)
    vhost = unquote(url.path[1:]) or "/"
    made.username_pw_set(f"{vhost}:{url.username}", url.password)
    return made, url


def produce(made, args):
    made.loop_start()
    for number in range(args.count):
        properties = None
        if args.version == 5:
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = [("Color", "red"), ("number", str(number))]
        made.publish(args.queue, args.payload.format(number), qos=1,
                     properties=properties).wait_for_publish(30)
        say(event="published", number=number)


def work(made, args):
    finished = threading.Event()
    seen = []

    def on_message(_client, _data, message):
        properties = getattr(message.properties, "UserProperty", []) if message.properties else []
        say(event="message", payload=message.payload.decode(), headers=dict(properties))
        seen.append(message)
        if len(seen) >= args.count:
            finished.set()

    made.on_message = on_message
    made.on_subscribe = lambda *_: say(event="ready")
    made.loop_start()
    made.subscribe(args.queue, qos=1)
    finished.wait(60)


def main():
    args = arguments()
    made, url = client(args)
    connected = threading.Event()
    made.on_connect = lambda *_: connected.set()
    made.connect(url.hostname, url.port)
    made.loop_start()
    assert connected.wait(30), "no connection"
    (produce if args.role == "produce" else work)(made, args)
    made.disconnect()
    made.loop_stop()


main()
