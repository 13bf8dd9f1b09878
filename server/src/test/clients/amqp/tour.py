#!/usr/bin/env python3
"""The tour with pika: python3 tour.py [PORT]. Says "tour passed" or fails. See docs/development.md."""
import sys
import uuid

import pika
from pika import exceptions

port = int(sys.argv[1]) if len(sys.argv) > 1 else 5672
parameters = pika.ConnectionParameters("127.0.0.1", port, "/", pika.PlainCredentials("guest", "guest"), heartbeat=30)
run = uuid.uuid4().hex[:8]


def name(what):
    return "tour.%s.%s" % (run, what)


def check(condition, what):
    if not condition:
        raise SystemExit("failed: " + what)
    print("ok  " + what)


def refused(code, what, action):
    channel = connection.channel()
    try:
        action(channel)
        check(False, what)
    except exceptions.ChannelClosedByBroker as e:
        check(e.reply_code == code, "%s: %d %s" % (what, e.reply_code, e.reply_text))


connection = pika.BlockingConnection(parameters)
channel = connection.channel()
channel.confirm_delivery()

channel.exchange_declare(name("x"), "topic", durable=True)
channel.queue_declare(name("dead"), durable=True)
channel.queue_declare(name("q"), durable=True, arguments={
    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": name("dead"), "x-max-priority": 5, "x-message-ttl": 60000})
channel.queue_bind(name("q"), name("x"), "a.#")
properties = pika.BasicProperties(delivery_mode=2, priority=3, content_type="text/plain", correlation_id="c1",
                                  message_id="m1", headers={"n": 1, "t": True, "l": ["a", 2], "d": {"k": None}})
channel.basic_publish(name("x"), "a.b", b"one", properties, mandatory=True)
method, got, body = channel.basic_get(name("q"))
check(body == b"one" and method.routing_key == "a.b" and not method.redelivered, "confirmed publish, get")
check(got.headers["l"] == ["a", 2] and got.headers["d"] == {"k": None} and got.priority == 3, "properties and headers")
channel.basic_nack(method.delivery_tag, requeue=True)
method, got, body = channel.basic_get(name("q"))
check(method.redelivered, "nack brings it back, marked")
channel.basic_reject(method.delivery_tag, requeue=False)
for attempt in range(100):
    method, got, body = channel.basic_get(name("dead"), auto_ack=True)
    if method:
        break
    connection.sleep(0.05)
check(got.headers["x-death"][0]["reason"] == "rejected", "dead letter with its history")
try:
    channel.basic_publish(name("x"), "nobody", b"lost", mandatory=True)
    check(False, "mandatory message without a route comes back")
except exceptions.UnroutableError as e:
    check(e.messages[0].method.reply_code == 312, "mandatory message without a route comes back")

for i in range(20):
    channel.basic_publish(name("x"), "a.%d" % i, b"%d" % i)
channel.basic_qos(prefetch_count=5)
seen = []
for method, got, body in channel.consume(name("q"), inactivity_timeout=10):
    seen.append(int(body))
    channel.basic_ack(method.delivery_tag, multiple=len(seen) % 5 == 0)
    if len(seen) == 20:
        break
channel.cancel()
check(seen == list(range(20)), "consume with prefetch, in order")

answers = []
rpc = connection.channel()
rpc.basic_consume("amq.rabbitmq.reply-to", lambda c, m, p, b: answers.append(b), auto_ack=True)
rpc.basic_publish("", name("q"), b"ping", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
for attempt in range(100):
    method, got, body = channel.basic_get(name("q"), auto_ack=True)
    if method:
        break
    connection.sleep(0.05)
channel.basic_publish("", got.reply_to, b"pong")
for attempt in range(100):
    if answers:
        break
    connection.process_data_events(0.05)
check(answers == [b"pong"], "direct reply-to")

tx = connection.channel()
tx.tx_select()
tx.basic_publish("", name("q"), b"dropped")
tx.tx_rollback()
tx.basic_publish("", name("q"), b"kept")
tx.tx_commit()
check(tx.basic_get(name("q"), auto_ack=True)[2] == b"kept", "transactions")

refused(404, "passive declare of what is not there", lambda c: c.queue_declare(name("none"), passive=True))
refused(406, "declare again with other arguments", lambda c: c.queue_declare(name("q"), durable=True))
refused(403, "reserved name", lambda c: c.queue_declare("amq.tour"))
other = pika.BlockingConnection(parameters)
exclusive = other.channel().queue_declare("", exclusive=True).method.queue
refused(405, "exclusive queue of another connection", lambda c: c.queue_declare(exclusive, passive=True))
other.close()

stream = connection.channel()
stream.queue_declare(name("s"), durable=True, arguments={"x-queue-type": "stream"})
stream.confirm_delivery()
for i in range(5):
    stream.basic_publish("", name("s"), b"%d" % i)
stream.basic_qos(prefetch_count=10)
replayed = []
for method, got, body in stream.consume(name("s"), arguments={"x-stream-offset": 2}, inactivity_timeout=10):
    replayed.append((got.headers["x-stream-offset"], body))
    stream.basic_ack(method.delivery_tag)
    if len(replayed) == 3:
        break
stream.cancel()
check(replayed == [(2, b"2"), (3, b"3"), (4, b"4")], "stream from an offset")

ended = []
watched = connection.channel()
watched.queue_declare(name("gone"))
watched.add_on_cancel_callback(lambda frame: ended.append(frame.method.consumer_tag))
tag = watched.basic_consume(name("gone"), lambda c, m, p, b: None)
channel.queue_delete(name("gone"))
for attempt in range(100):
    if ended:
        break
    connection.process_data_events(0.05)
check(ended == [tag], "the client is told of a consumer that ends")

for what in ("q", "dead", "s"):
    channel.queue_delete(name(what))
channel.exchange_delete(name("x"))
connection.close()
print("tour passed")
