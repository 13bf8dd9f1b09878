package io.sluice.routing.policy;

import io.sluice.queue.RetryBackoff;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The settings that a policy may have: which values they take, in RabbitMQ's words where they do not (rabbit_policies), whether
 * operators may set them, and which types of queues cannot have them, so that a policy with one is not for those. Those that only
 * place queues on nodes of a cluster or choose their storage are checked and have no effect; those of streams are not built. {@code delayed-retry-*} are the
 * arguments of these names, which RabbitMQ does not have.
 */
enum PolicyKey {
    ALTERNATE_EXCHANGE("alternate-exchange", "alternate exchange name", PolicyKey::isText, false, Set.of()),
    CONSUMER_TIMEOUT("consumer-timeout", "consumer timeout", PolicyKey::isCount, false, Set.of(QueueType.STREAM)),
    DEAD_LETTER_EXCHANGE(
            "dead-letter-exchange", "dead letter exchange name", PolicyKey::isText, false, Set.of(QueueType.STREAM)),
    DEAD_LETTER_KEY(
            "dead-letter-routing-key", "dead letter routing key", PolicyKey::isText, false, Set.of(QueueType.STREAM)),
    DEAD_LETTER_STRATEGY(
            "dead-letter-strategy",
            "dead letter strategy",
            value -> isOneOf(value, "at-most-once", "at-least-once"),
            false,
            Set.of(QueueType.CLASSIC, QueueType.STREAM)),
    MESSAGE_TTL("message-ttl", "message TTL", value -> isBetween(value, 0), true, Set.of(QueueType.STREAM)),
    EXPIRES("expires", "queue expiry", value -> isBetween(value, 1), true, Set.of(QueueType.STREAM)),
    MAX_LENGTH("max-length", "maximum length", PolicyKey::isCount, true, Set.of(QueueType.STREAM)),
    MAX_LENGTH_BYTES("max-length-bytes", "maximum length in bytes", PolicyKey::isCount, true, Set.of(QueueType.STREAM)),
    MAX_IN_MEMORY_LENGTH(
            "max-in-memory-length",
            "maximum memory in bytes",
            PolicyKey::isCount,
            true,
            Set.of(QueueType.CLASSIC, QueueType.STREAM)),
    MAX_IN_MEMORY_BYTES(
            "max-in-memory-bytes",
            "maximum memory in bytes",
            PolicyKey::isCount,
            true,
            Set.of(QueueType.CLASSIC, QueueType.STREAM)),
    OVERFLOW(
            "overflow",
            "overflow value",
            value -> isOneOf(value, "drop-head", "reject-publish", "reject-publish-dlx"),
            false,
            Set.of(QueueType.STREAM)),
    DELIVERY_LIMIT(
            "delivery-limit",
            "delivery limit",
            value -> value instanceof Long limit && limit >= -1 && limit <= Integer.MAX_VALUE,
            true,
            Set.of(QueueType.CLASSIC, QueueType.STREAM)),
    RETRY_MIN("delayed-retry-min", "first wait of a retry", PolicyKey::isWait, false, Set.of(QueueType.STREAM)),
    RETRY_MAX("delayed-retry-max", "longest wait of a retry", PolicyKey::isWait, false, Set.of(QueueType.STREAM)),
    RETRY_MULTIPLIER(
            "delayed-retry-multiplier",
            "multiplier of retries",
            value -> value instanceof Long factor && factor >= 1 && factor <= Integer.MAX_VALUE,
            false,
            Set.of(QueueType.STREAM)),
    RETRY_JITTER(
            "delayed-retry-jitter",
            "jitter of retries",
            value -> value instanceof Long percent && percent >= 0 && percent <= 100,
            false,
            Set.of(QueueType.STREAM)),
    MAX_AGE("max-age", "max age", value -> false, false, Set.of(QueueType.CLASSIC, QueueType.QUORUM)),
    MAX_SEGMENT(
            "stream-max-segment-size-bytes",
            "segment size",
            value -> false,
            false,
            Set.of(QueueType.CLASSIC, QueueType.QUORUM)),
    QUEUE_MODE(
            "queue-mode",
            "queue-mode value",
            value -> isOneOf(value, "default", "lazy"),
            false,
            Set.of(QueueType.QUORUM, QueueType.STREAM)),
    QUEUE_VERSION(
            "queue-version",
            "queue-version value",
            value -> value instanceof Long version && (version == 1 || version == 2),
            false,
            Set.of()),
    LEADER_LOCATOR(
            "queue-leader-locator",
            "queue leader locator value",
            value -> isOneOf(value, "client-local", "balanced", "random", "least-leaders"),
            false,
            Set.of()),
    MASTER_LOCATOR(
            "queue-master-locator",
            "queue master locator value",
            value -> isOneOf(value, "client-local", "min-masters", "random"),
            false,
            Set.of(QueueType.QUORUM, QueueType.STREAM)),
    INITIAL_CLUSTER_SIZE(
            "initial-cluster-size",
            "cluster size",
            PolicyKey::isCount,
            false,
            Set.of(QueueType.CLASSIC, QueueType.QUORUM)),
    TARGET_GROUP_SIZE(
            "target-group-size",
            "target count",
            value -> value instanceof Long size && size > 0,
            true,
            Set.of(QueueType.CLASSIC, QueueType.STREAM));

    /** Longest time that an expiry may be, ten years in ms. */
    private static final long MAX_MILLIS = 315_360_000_000L;

    private static final List<PolicyKey> ALL = List.of(values());

    private interface Check {
        boolean accepts(Object value);
    }

    private final String text;
    private final String what;

    @SuppressWarnings("ImmutableEnumChecker") // functions without state
    private final Check check;

    private final boolean ofOperators;

    @SuppressWarnings("ImmutableEnumChecker") // made by Set.of
    private final Set<QueueType> notOf;

    PolicyKey(String text, String what, Check check, boolean ofOperators, Set<QueueType> notOf) {
        this.text = text;
        this.what = what;
        this.check = check;
        this.ofOperators = ofOperators;
        this.notOf = notOf;
    }

    /** The setting of this name, null if there is none. */
    static @Nullable PolicyKey of(String text) {
        for (PolicyKey key : ALL) {
            if (key.text.equals(text)) {
                return key;
            }
        }
        return null;
    }

    String text() {
        return text;
    }

    /** True if operators may limit it. Such settings are numbers, of which the smaller one counts. */
    boolean ofOperators() {
        return ofOperators;
    }

    /** True if queues of this type have such a setting. */
    boolean isOf(QueueType type) {
        return !notOf.contains(type);
    }

    boolean accepts(Object value) {
        return check.accepts(value);
    }

    /** What is wrong with a value that is not accepted. */
    String refusal(@Nullable Object value) {
        if (this == MAX_AGE || this == MAX_SEGMENT) {
            return text + " cannot be set by a policy yet; declare streams with the argument x-" + text;
        }
        return ErlangTerms.text(value) + " is not a valid " + what;
    }

    private static boolean isText(Object value) {
        return value instanceof String;
    }

    private static boolean isCount(Object value) {
        return value instanceof Long count && count >= 0;
    }

    private static boolean isBetween(Object value, long least) {
        return value instanceof Long millis && millis >= least && millis <= MAX_MILLIS;
    }

    private static boolean isWait(Object value) {
        return value instanceof Long millis && millis >= 1 && millis <= RetryBackoff.MAX_MILLIS;
    }

    private static boolean isOneOf(Object value, String... words) {
        return value instanceof String text && List.of(words).contains(text);
    }
}
