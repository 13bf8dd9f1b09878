package io.sluice.amqp091.entity;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.stream.StreamSettings;
import io.sluice.queue.MessageGroups;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.RetryBackoff;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Arguments of {@code queue.declare}, checked as RabbitMQ 4 checks them (rabbit_amqqueue: declare_args, and the arguments that
 * each queue type takes). What is not built yet is refused with 540, what RabbitMQ does not know is kept, as there. Arguments that only place a queue on nodes of a cluster or
 * choose its storage are checked and have no effect.
 *
 * @param type {@code classic}, {@code quorum} or {@code stream}
 * @param stream settings of a stream
 * @param text all arguments as text
 */
record QueueArguments(String type, QueuePolicy policy, StreamSettings stream, Map<String, String> text) {
    /** Failed deliveries after which a message of a quorum queue is dead-lettered unless told otherwise. */
    private static final int QUORUM_DELIVERY_LIMIT = 20;

    private static final String CLASSIC = "classic";
    private static final String QUORUM = "quorum";
    private static final String STREAM = "stream";

    private static final int MAX_PRIORITY = 255;

    /** What means nothing without a first wait. */
    private static final List<String> RETRY_SHAPE =
            List.of("x-delayed-retry-max", "x-delayed-retry-multiplier", "x-delayed-retry-jitter");

    /** Messages of a group keep their order with several consumers; our own, as are the two that say how. */
    private static final String GROUPS = "x-message-groups";

    private static final String GROUPS_BY = "x-message-groups-by";
    private static final String GROUPS_ONE_IN_FLIGHT = "x-message-groups-one-in-flight";

    /** What classic and quorum queues take both. */
    private static final Set<String> COMMON = Set.of(
            "x-queue-type",
            "x-message-ttl",
            "x-expires",
            "x-dead-letter-exchange",
            "x-dead-letter-routing-key",
            "x-delivery-limit",
            "x-max-length",
            "x-max-length-bytes",
            "x-overflow",
            "x-single-active-consumer",
            ArgumentChecks.CONSUMER_TIMEOUT,
            "x-delayed-retry-min",
            "x-delayed-retry-max",
            "x-delayed-retry-multiplier",
            "x-delayed-retry-jitter",
            GROUPS,
            GROUPS_BY,
            GROUPS_ONE_IN_FLIGHT,
            "x-queue-leader-locator");

    private static final Set<String> CLASSIC_ONLY =
            Set.of("x-max-priority", "x-queue-mode", "x-queue-version", "x-queue-master-locator");
    private static final Set<String> QUORUM_ONLY = Set.of(
            "x-dead-letter-strategy",
            "x-max-in-memory-length",
            "x-max-in-memory-bytes",
            "x-quorum-initial-group-size",
            "x-quorum-target-group-size",
            "x-consumer-disconnected-timeout",
            "x-member-placement-tag");

    /** Arguments that mean something to RabbitMQ or in Sluice's own model; what nobody knows is kept and means nothing. */
    private static final Set<String> NOT_BUILT = Set.of("x-log", "x-group", "x-delayed-retry-type");

    private static final Set<String> STREAM_ARGUMENTS = Set.of(
            "x-queue-type",
            "x-max-length-bytes",
            "x-max-age",
            "x-stream-max-segment-size-bytes",
            "x-stream-filter-size-bytes",
            "x-initial-cluster-size",
            "x-queue-leader-locator");

    private static final StreamSettings NO_STREAM = new StreamSettings(-1, -1, -1);

    /** Largest segment that RabbitMQ allows, bytes; ours are as large as an int counts. */
    private static final long MAX_SEGMENT = 3_000_000_000L;

    /** Smallest segment, bytes. */
    private static final long MIN_SEGMENT = 1 << 20;

    boolean isStream() {
        return type.equals(STREAM);
    }

    /**
     * Reads the arguments of a declaration.
     *
     * @throws AmqpException PRECONDITION_FAILED for a bad value or one that the queue's type does not take, NOT_IMPLEMENTED
     */
    static QueueArguments parse(String vhost, String queue, Map<String, @Nullable Object> arguments) {
        ArgumentChecks checks = new ArgumentChecks(vhost, queue, arguments);
        String given = checks.text("x-queue-type");
        String type = given == null ? CLASSIC : given;
        if (!List.of(CLASSIC, QUORUM, STREAM).contains(type)) {
            throw checks.invalid("x-queue-type", "\"unsupported queue type '" + type + "'\"");
        }
        QueuePolicy policy = type.equals(STREAM) ? QueuePolicy.NONE : policy(checks, type);
        StreamSettings stream = type.equals(STREAM) ? stream(checks) : NO_STREAM;
        for (String name : arguments.keySet()) {
            checkName(checks, type, name);
        }
        return new QueueArguments(type, policy, stream, asText(arguments));
    }

    private static void checkName(ArgumentChecks checks, String type, String name) {
        boolean ofQueues = COMMON.contains(name) || CLASSIC_ONLY.contains(name) || QUORUM_ONLY.contains(name);
        boolean known = ofQueues || STREAM_ARGUMENTS.contains(name);
        boolean taken = switch (type) {
            case STREAM -> STREAM_ARGUMENTS.contains(name);
            case QUORUM -> ofQueues && !CLASSIC_ONLY.contains(name);
            default -> ofQueues && !QUORUM_ONLY.contains(name);
        };
        if (taken || !name.startsWith("x-")) {
            return;
        }
        if (known) {
            throw checks.notOfType(name, "rabbit_" + type + "_queue");
        }
        if (NOT_BUILT.contains(name)) {
            throw new AmqpException(ReplyCode.NOT_IMPLEMENTED, "queue argument '" + name + "' is not supported");
        }
    }

    private static StreamSettings stream(ArgumentChecks checks) {
        String age = checks.text("x-max-age");
        OptionalLong maxAge = age == null ? OptionalLong.of(-1) : StreamSettings.maxAge(age);
        if (maxAge.isEmpty()) {
            throw checks.invalid("x-max-age", "invalid_max_age");
        }
        long segment = checks.notNegative("x-stream-max-segment-size-bytes", -1);
        if (segment > MAX_SEGMENT) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED, "Exceeded max value for x-stream-max-segment-size-bytes");
        }
        long filter = checks.notNegative("x-stream-filter-size-bytes", 16);
        if (filter < 16 || filter > 255) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "Invalid value for x-stream-filter-size-bytes");
        }
        if (checks.notNegative("x-initial-cluster-size", 1) == 0) {
            throw checks.invalid("x-initial-cluster-size", "{value_zero,0}");
        }
        checkWithoutEffect(checks);
        return new StreamSettings(
                maxAge.getAsLong(),
                checks.notNegative("x-max-length-bytes", -1),
                segment < 0 ? -1 : Math.max(MIN_SEGMENT, Math.min(Integer.MAX_VALUE, segment)));
    }

    private static QueuePolicy policy(ArgumentChecks checks, String type) {
        boolean quorum = type.equals(QUORUM);
        String exchange = checks.exchange("x-dead-letter-exchange");
        String key = checks.text("x-dead-letter-routing-key");
        if (key != null && exchange == null) {
            throw checks.invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined");
        }
        long expires = checks.expiry("x-expires", -1);
        if (expires == 0) {
            throw checks.invalid("x-expires", "{value_zero,0}");
        }
        long priorities = checks.notNegative("x-max-priority", 0);
        if (priorities > MAX_PRIORITY) {
            throw checks.invalid("x-max-priority", "{max_value_exceeded," + priorities + '}');
        }
        long limit = checks.number("x-delivery-limit", quorum ? QUORUM_DELIVERY_LIMIT : -1);
        if (limit < -1 || limit > Integer.MAX_VALUE) {
            throw checks.invalid(
                    "x-delivery-limit",
                    limit < 0 ? "{value_negative," + limit + '}' : "{value_too_large," + limit + '}');
        }
        checkWithoutEffect(checks);
        checks.notNegative(ArgumentChecks.CONSUMER_TIMEOUT, 0);
        return QueuePolicy.builder()
                .deadLetterExchange(exchange)
                .deadLetterKey(key)
                .deliveryLimit((int) limit)
                .messageTtl(checks.expiry("x-message-ttl", -1))
                .expires(expires)
                .maxLength(checks.notNegative("x-max-length", -1))
                .maxBytes(checks.notNegative("x-max-length-bytes", -1))
                .overflow(overflow(checks, quorum))
                .maxPriority(quorum ? 0 : (int) priorities)
                .singleActiveConsumer(checks.flag("x-single-active-consumer"))
                .retry(retry(checks))
                .groups(groups(checks))
                .build();
    }

    private static @Nullable MessageGroups groups(ArgumentChecks checks) {
        String by = checks.oneOf(GROUPS_BY, List.of("group-id", "key"), "neither group-id nor key");
        boolean oneInFlight = checks.flag(GROUPS_ONE_IN_FLIGHT);
        if (!checks.flag(GROUPS)) {
            for (String name : List.of(GROUPS_BY, GROUPS_ONE_IN_FLIGHT)) {
                if (checks.has(name)) {
                    throw checks.invalid(name, "x-message-groups is not true");
                }
            }
            return null;
        }
        return new MessageGroups("key".equals(by) ? MessageGroups.By.KEY : MessageGroups.By.GROUP_ID, oneInFlight);
    }

    /** Names and meaning as in LavinMQ; the jitter is our own. */
    private static @Nullable RetryBackoff retry(ArgumentChecks checks) {
        long first = retryMillis(checks, "x-delayed-retry-min", 0);
        long max = retryMillis(checks, "x-delayed-retry-max", RetryBackoff.MAX_MILLIS);
        long multiplier = checks.notNegative("x-delayed-retry-multiplier", RetryBackoff.LINEAR);
        long jitter = checks.notNegative("x-delayed-retry-jitter", 0);
        if (first == 0) {
            for (String name : RETRY_SHAPE) {
                if (checks.has(name)) {
                    throw checks.invalid(name, "x-delayed-retry-min is not given");
                }
            }
            return null;
        }
        if (max < first) {
            throw checks.invalid("x-delayed-retry-max", "less than x-delayed-retry-min");
        }
        if (multiplier > Integer.MAX_VALUE || multiplier < 1 && checks.has("x-delayed-retry-multiplier")) {
            throw checks.invalid("x-delayed-retry-multiplier", "not from 1 to " + Integer.MAX_VALUE);
        }
        if (jitter > 100) {
            throw checks.invalid("x-delayed-retry-jitter", "{max_value_exceeded," + jitter + '}');
        }
        return new RetryBackoff(first, max, (int) multiplier, (int) jitter);
    }

    private static long retryMillis(ArgumentChecks checks, String name, long absent) {
        long millis = checks.notNegative(name, absent);
        if (checks.has(name) && (millis == 0 || millis > RetryBackoff.MAX_MILLIS)) {
            throw checks.invalid(name, "not from 1 to " + RetryBackoff.MAX_MILLIS + " ms");
        }
        return millis;
    }

    private static Overflow overflow(ArgumentChecks checks, boolean quorum) {
        String given = checks.text("x-overflow");
        if (given == null) {
            return Overflow.DROP_HEAD;
        }
        for (Overflow overflow : Overflow.values()) {
            if (overflow.text().equals(given)) {
                if (quorum && overflow == Overflow.REJECT_PUBLISH_DLX) {
                    // RabbitMQ would drop from the head instead, which its publishers do not expect
                    throw checks.invalid("x-overflow", "reject-publish-dlx is not supported by quorum queues");
                }
                return overflow;
            }
        }
        throw checks.invalid("x-overflow", "invalid_overflow");
    }

    private static void checkWithoutEffect(ArgumentChecks checks) {
        checks.oneOf("x-queue-leader-locator", List.of("client-local", "balanced"), "invalid_queue_locator_arg");
        checks.text("x-queue-master-locator");
        checks.text("x-queue-mode");
        long version = checks.notNegative("x-queue-version", 2);
        if (version != 1 && version != 2) {
            throw checks.invalid("x-queue-version", "\"unsupported queue version '" + version + "'\"");
        }
        checks.oneOf("x-dead-letter-strategy", List.of("at-most-once", "at-least-once"), "invalid_dlx_strategy");
        checks.notNegative("x-max-in-memory-length", 0);
        checks.notNegative("x-max-in-memory-bytes", 0);
        if (checks.notNegative("x-quorum-initial-group-size", 1) == 0) {
            throw checks.invalid("x-quorum-initial-group-size", "{value_zero,0}");
        }
    }

    /** Arguments as text, by name. */
    static Map<String, String> asText(Map<String, @Nullable Object> arguments) {
        if (arguments.isEmpty()) {
            return Map.of();
        }
        Map<String, String> text = new TreeMap<>();
        arguments.forEach((name, value) -> text.put(name, String.valueOf(value)));
        return text;
    }
}
