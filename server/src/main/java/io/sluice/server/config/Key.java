package io.sluice.server.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One setting.
 *
 * @param name dotted name
 * @param fallback text used where nothing is set; empty = not set
 * @param help one line for the operator, with unit and bounds
 * @param parser turns text into a value, or throws {@link IllegalArgumentException} with what would be right
 * @param <T> type of the value
 */
record Key<T>(String name, String fallback, String help, Function<String, T> parser) {
    private static final Map<String, Key<?>> ALL = new LinkedHashMap<>();

    static final Key<String> DATA = add("data", "./data", "directory that holds the messages", Values::text);
    static final Key<String> BIND = add(
            "bind",
            "localhost",
            "address to listen on: localhost, 127.0.0.1 or ::1 until users are configured",
            Values::text);
    static final Key<String> DURABILITY = add(
            "durability",
            "",
            "what a confirm promises: memory, os or group; unset = by kind of message",
            Values.oneOf("memory", "os", "group"));
    static final Key<Integer> AMQP_PORT = add("amqp.port", "5672", "TCP port for AMQP, 0 = any free", Values::port);
    static final Key<Integer> AMQP_MAX_MESSAGE = add(
            "amqp.max-message-size",
            "16MiB",
            "largest AMQP message body, up to 128MiB",
            Values.size(1 << 10, 128 << 20));
    static final Key<Integer> AMQP_CONSUMER_TIMEOUT = add(
            "amqp.consumer-timeout-seconds",
            "1800",
            "time for an AMQP client's acknowledgement before its channel is closed, up to 31536000; 0 = any time",
            Values.number(0, 31_536_000));
    static final Key<Integer> MQTT_PORT = add("mqtt.port", "1883", "TCP port for MQTT, 0 = any free", Values::port);
    static final Key<Integer> MQTT_MAX_PACKET =
            add("mqtt.max-packet-size", "1MiB", "largest MQTT packet, up to 256MiB", Values.size(1 << 10, 256 << 20));
    static final Key<Integer> MQTT_MAX_INFLIGHT = add(
            "mqtt.max-inflight",
            "1000",
            "QoS 1 messages to one client that may wait for their PUBACK, 1 to 65535",
            Values.number(1, 65_535));
    static final Key<Integer> MQTT_RECEIVE_MAXIMUM = add(
            "mqtt.receive-maximum",
            "1000",
            "QoS 1 messages of one client that may wait for their PUBACK, 1 to 65535",
            Values.number(1, 65_535));
    static final Key<Integer> MQTT_MAX_QUEUED = add(
            "mqtt.max-queued",
            "1000000",
            "QoS 1 messages kept for one persistent session, 1 to 1000000000",
            Values.number(1, 1_000_000_000));
    static final Key<Integer> MQTT_MAX_PENDING = add(
            "mqtt.max-pending",
            "100000",
            "messages that may wait in memory for one slow client, 1 to 10000000",
            Values.number(1, 10_000_000));
    static final Key<Long> MQTT_MAX_PENDING_SIZE = add(
            "mqtt.max-pending-size",
            "64MiB",
            "bytes that may wait in memory for one slow client",
            Values.longSize(1 << 10, 1L << 40));
    static final Key<Long> MQTT_MAX_PENDING_TOTAL = add(
            "mqtt.max-pending-total",
            "256MiB",
            "bytes that may wait in memory for all slow clients together",
            Values.longSize(1 << 10, 1L << 40));
    static final Key<Integer> MQTT_MAX_CONNECTIONS = add(
            "mqtt.max-connections",
            "1000000",
            "MQTT connections at a time, 1 to 100000000",
            Values.number(1, 100_000_000));
    static final Key<Integer> MQTT_MAX_SESSIONS = add(
            "mqtt.max-sessions", "1000000", "persistent MQTT sessions, 0 to 100000000", Values.number(0, 100_000_000));
    static final Key<Integer> MQTT_MAX_SUBSCRIPTIONS = add(
            "mqtt.max-subscriptions",
            "10000",
            "subscriptions of one session, 1 to 1000000",
            Values.number(1, 1_000_000));
    static final Key<Integer> MQTT_TOPIC_ALIASES =
            add("mqtt.topic-alias-maximum", "32", "topic aliases of one client, 0 to 65535", Values.number(0, 65_535));
    static final Key<Integer> MQTT_MAX_KEEP_ALIVE = add(
            "mqtt.max-keep-alive",
            "65535",
            "longest keep-alive in seconds, 1 to 65535; below 65535 also for clients that ask for none",
            Values.number(1, 65_535));
    static final Key<Integer> CONNECT_SECONDS = add(
            "connect.timeout-seconds",
            "10",
            "time for MQTT's CONNECT, for AMQP's header and then its login, for the first Kafka request, 1 to 600",
            Values.number(1, 600));
    static final Key<Integer> NATIVE_PORT =
            add("native.port", "9092", "TCP port for Kafka clients, 0 = any free", Values::port);
    static final Key<SluiceConfig.Advertised> NATIVE_ADVERTISED = add(
            "native.advertised",
            "",
            "HOST or HOST:PORT that Kafka clients are told to connect to; unset = the address they reached",
            Values::advertised);
    static final Key<Integer> NATIVE_MAX_REQUEST = add(
            "native.max-request-size",
            "100MiB",
            "largest Kafka request, up to 1GiB; a topic's max.message.bytes bounds its batches",
            Values.size(64 << 10, 1 << 30));
    static final Key<Integer> MANAGEMENT_PORT =
            add("management.port", "15672", "TCP port for health, metrics and routes, 0 = any free", Values::port);
    static final Key<Long> MEMORY_LIMIT = add(
            "memory.limit",
            "12%",
            "messages not yet confirmed above which publishers are paused: a size, or a share of the heap",
            Values.sizeOrShare(16 << 20, () -> Runtime.getRuntime().maxMemory()));
    static final Key<Long> DISK_WARN = add(
            "disk.warn-free",
            "",
            "free disk space below which a warning is logged; unset = twice disk.min-free",
            Values.longSize(0, 1L << 50));
    static final Key<Long> DISK_MIN = add(
            "disk.min-free",
            "",
            "free disk space below which publishers are paused or refused; unset = 5% of the disk, 64MiB to 1GiB",
            Values.longSize(0, 1L << 50));
    static final Key<Integer> CHECKPOINT_SECONDS = add(
            "checkpoint.seconds",
            "10",
            "longest time between checkpoints, up to 3600; 0 = none while running: the next start replays everything",
            Values.number(0, 3_600));
    static final Key<Integer> CLEANER_SECONDS = add(
            "cleaner.seconds",
            "30",
            "how often old segments are deleted and topics compacted, up to 86400; 0 = never",
            Values.number(0, 86_400));
    static final Key<Integer> OPEN_FILES =
            add("files.open", "2000", "segment files kept open, 64 to 1000000", Values.number(64, 1_000_000));
    static final Key<String> LOG_LEVEL = add(
            "log.level",
            "info",
            "least severe level that is logged",
            Values.oneOf("error", "warn", "info", "debug", "trace"));

    private static <T> Key<T> add(String name, String fallback, String help, Function<String, T> parser) {
        Key<T> key = new Key<>(name, fallback, help, parser);
        ALL.put(name, key);
        return key;
    }

    static Set<String> names() {
        return ALL.keySet();
    }

    static List<Key<?>> all() {
        return new ArrayList<>(ALL.values());
    }

    /** The value in force, null if it is unset and has no default. */
    @Nullable
    T resolve(Map<String, Entry> settings) {
        Entry entry = settings.get(name);
        String text = entry == null ? fallback : entry.value().trim();
        if (text.isEmpty()) {
            return null;
        }
        try {
            return parser.apply(text);
        } catch (IllegalArgumentException e) {
            throw new ConfigException(
                    name + " = '" + text + "' (" + (entry == null ? "default" : entry.source()) + "): " + e.getMessage()
                            + ".",
                    e);
        }
    }

    /** The value in force of a key that has a default. */
    T require(Map<String, Entry> settings) {
        T value = resolve(settings);
        if (value == null) {
            Entry entry = settings.get(name);
            throw new ConfigException(
                    name + " is empty (" + (entry == null ? "default" : entry.source()) + "): it is " + help + ".");
        }
        return value;
    }
}
