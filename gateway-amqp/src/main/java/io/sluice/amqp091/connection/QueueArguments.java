package io.sluice.amqp091.connection;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueuePolicy;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Arguments of {@code queue.declare}, checked as RabbitMQ 4 checks them (rabbit_amqqueue: declare_args, and the arguments that
 * each queue type takes). What is not built yet is refused with 540. Arguments that only place a queue on nodes of a cluster or
 * choose its storage are checked and have no effect.
 *
 * @param type {@code classic}, {@code quorum} or {@code stream}
 * @param text all arguments as text
 */
record QueueArguments(String type, QueuePolicy policy, Map<String, String> text) {
    /** Failed deliveries after which a message of a quorum queue is dead-lettered unless told otherwise. */
    private static final int QUORUM_DELIVERY_LIMIT = 20;

    private static final String CLASSIC = "classic";
    private static final String QUORUM = "quorum";
    private static final String STREAM = "stream";

    private static final int MAX_PRIORITY = 255;

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
            "x-queue-leader-locator");

    private static final Set<String> CLASSIC_ONLY =
            Set.of("x-max-priority", "x-queue-mode", "x-queue-version", "x-queue-master-locator");
    private static final Set<String> QUORUM_ONLY = Set.of(
            "x-dead-letter-strategy", "x-max-in-memory-length", "x-max-in-memory-bytes", "x-quorum-initial-group-size");

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
        for (String name : arguments.keySet()) {
            checkName(checks, type, name);
        }
        return new QueueArguments(type, policy, asText(arguments));
    }

    private static void checkName(ArgumentChecks checks, String type, String name) {
        boolean known = COMMON.contains(name) || CLASSIC_ONLY.contains(name) || QUORUM_ONLY.contains(name);
        boolean taken = switch (type) {
            case STREAM -> name.equals("x-queue-type") || name.equals("x-queue-leader-locator");
            case QUORUM -> known && !CLASSIC_ONLY.contains(name);
            default -> known && !QUORUM_ONLY.contains(name);
        };
        if (taken || !name.startsWith("x-")) {
            return;
        }
        if (known && !(type.equals(STREAM) && name.equals("x-max-length-bytes"))) {
            throw checks.notOfType(name, "rabbit_" + type + "_queue");
        }
        throw new AmqpException(ReplyCode.NOT_IMPLEMENTED, "queue argument '" + name + "' is not supported");
    }

    private static QueuePolicy policy(ArgumentChecks checks, String type) {
        boolean quorum = type.equals(QUORUM);
        String exchange = checks.text("x-dead-letter-exchange");
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
                .build();
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
        Map<String, String> text = new TreeMap<>();
        arguments.forEach((name, value) -> text.put(name, String.valueOf(value)));
        return text;
    }
}
