package io.sluice.message;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Names of canonical record headers (mapping of one message in four protocols). Values are UTF-8 text, numbers in decimal,
 * times in epoch ms, unless a name says raw. Names starting with {@code ~} stand in home partitions only.
 */
public final class MessageHeaders {
    /** Routing record: ids of the queues a home record was routed to; see {@code io.sluice.queue.TargetSet}. Raw. */
    public static final byte[] ROUTING = name("~r");

    /** Exact MQTT topic. */
    public static final byte[] TOPIC = name("sl.topic");
    /** AMQP exchange the message was published to; absent = default exchange or another protocol. */
    public static final byte[] EXCHANGE = name("sl.exchange");
    /** AMQP routing key, where it differs from the record key. */
    public static final byte[] ROUTING_KEY = name("sl.routing-key");
    /** MQTT publish QoS {@code 0|1|2}. */
    public static final byte[] QOS = name("sl.qos");
    /** {@code 1} if published with the MQTT RETAIN flag. */
    public static final byte[] RETAIN = name("sl.retain");
    /** {@code 1} if published as durable (delivery mode 2, durable header, QoS above 0). */
    public static final byte[] DURABLE = name("sl.durable");

    public static final byte[] PRIORITY = name("sl.priority");
    public static final byte[] EXPIRES_AT = name("sl.expires-at");
    public static final byte[] DELIVER_AT = name("sl.deliver-at");
    public static final byte[] DELAY = name("sl.delay");
    public static final byte[] UTF8 = name("sl.utf8");
    public static final byte[] USER = name("sl.user");
    /** Types of headers that are not text: {@code name=l;name=d}. */
    public static final byte[] TYPES = name("sl.types");
    /** Original property section where the canonical form cannot rebuild it. Raw. */
    public static final byte[] ORIGINAL = name("sl.orig");
    /** Protocol of {@link #ORIGINAL}: {@code mqtt3|mqtt5|amqp091|amqp10}. */
    public static final byte[] FROM = name("sl.from");

    /** Before the name of an application header whose plain name is that of a property here ({@code type}). */
    public static final byte[] SHADOWED_PREFIX = name("sl.h.");
    /** Further routing keys that the sender chose, in the order sent, each with its length as a zigzag varint before it. Raw. */
    public static final byte[] COPIES = name("sl.cc");
    /** As {@link #COPIES}, of those that no reader may see; only while a message waits to be routed. Raw. */
    public static final byte[] BLIND_COPIES = name("sl.bcc");

    /** Messages of one group keep their order in queues that have groups. */
    public static final byte[] GROUP_ID = name("x-group-id");

    public static final byte[] GROUP_SEQUENCE = name("sl.group-seq");
    public static final byte[] DEATH_REASON = name("sl.death.reason");
    public static final byte[] DEATH_QUEUE = name("sl.death.queue");
    public static final byte[] DEATH_TIME = name("sl.death.time");
    public static final byte[] DEATH_COUNT = name("sl.death.count");
    /** Exchange and routing keys before the first death, in the {@code x-death} sense. */
    public static final byte[] DEATH_EXCHANGE = name("sl.death.exchange");

    public static final byte[] DEATH_KEY = name("sl.death.key");
    /** Time to live of its own, ms, that the message had when the entry before this header was made; absent = none. */
    public static final byte[] DEATH_EXPIRATION = name("sl.death.expiration");
    /** Further routing keys that the message had at that death, in the form of {@link #COPIES}; absent = none. Raw. */
    public static final byte[] DEATH_COPIES = name("sl.death.copies");
    /** Which entry of the history, newest first and counted from 0, was the first death; absent = the last entry. */
    public static final byte[] DEATH_FIRST = name("sl.death.first");

    public static final byte[] CONTENT_TYPE = name("content-type");
    public static final byte[] CONTENT_ENCODING = name("content-encoding");
    public static final byte[] MESSAGE_ID = name("message-id");
    /** Raw. */
    public static final byte[] CORRELATION_ID = name("correlation-id");

    public static final byte[] REPLY_TO = name("reply-to");
    public static final byte[] REPLY_TO_GROUP_ID = name("reply-to-group-id");
    public static final byte[] APP_ID = name("app-id");
    public static final byte[] TYPE = name("type");
    /** Producer time of AMQP 0-9-1 in seconds, as sent; the record timestamp holds it in ms. */
    public static final byte[] TIMESTAMP = name("timestamp");

    /** Last second of the year 9999: a producer time above it is in another unit, and no time of the record. */
    public static final long MAX_SECONDS = 253_402_300_799L;

    private MessageHeaders() {}

    private static byte[] name(String name) {
        return name.getBytes(UTF_8);
    }
}
