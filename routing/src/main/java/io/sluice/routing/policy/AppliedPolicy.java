package io.sluice.routing.policy;

import io.sluice.queue.Overflow;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.RetryBackoff;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What applies to one queue or exchange.
 *
 * @param policy of administrators; null if none matches
 * @param operator of operators; null if none matches
 * @param definition settings of both; of a limit that both set, the smaller one
 */
public record AppliedPolicy(
        @Nullable Policy policy, @Nullable Policy operator, Map<String, Object> definition) {
    /** Nothing. */
    public static final AppliedPolicy NONE = new AppliedPolicy(null, null, Map.of());

    static AppliedPolicy of(@Nullable Policy policy, @Nullable Policy operator) {
        if (policy == null && operator == null) {
            return NONE;
        }
        Map<String, Object> merged = new TreeMap<>();
        if (policy != null) {
            merged.putAll(policy.definition());
        }
        if (operator != null) {
            // all that operators may set are numbers
            operator.definition()
                    .forEach((key, limit) -> merged.merge(key, limit, (a, b) -> Math.min((Long) a, (Long) b)));
        }
        return new AppliedPolicy(policy, operator, Collections.unmodifiableMap(merged));
    }

    /** The same, but for how long a queue may go unused. */
    public AppliedPolicy withoutExpiry() {
        if (!definition.containsKey(PolicyKey.EXPIRES.text())) {
            return this;
        }
        Map<String, Object> rest = new TreeMap<>(definition);
        rest.remove(PolicyKey.EXPIRES.text());
        return new AppliedPolicy(policy, operator, Collections.unmodifiableMap(rest));
    }

    /** A setting that is text, null if there is none. */
    public @Nullable String text(String key) {
        return definition.get(key) instanceof String text ? text : null;
    }

    /** A setting that is a number, {@code otherwise} if there is none. */
    public long number(String key, long otherwise) {
        return definition.get(key) instanceof Long number ? number : otherwise;
    }

    /** The exchange for what finds no destination, null if none is set. */
    public @Nullable String alternate() {
        return text(PolicyKey.ALTERNATE_EXCHANGE.text());
    }

    /** Milliseconds in which a delivery must be acknowledged: of what is set and of {@code argument} the less, -1 = neither. */
    public long consumerTimeout(long argument) {
        return least(argument, PolicyKey.CONSUMER_TIMEOUT);
    }

    /**
     * What a queue does with its messages: of limits that arguments set too, the smaller counts; otherwise arguments win, but for
     * what a quorum queue does when it is full (rabbit_amqqueue_process, rabbit_quorum_queue: args_policy_lookup).
     *
     * @param declared what its arguments say
     */
    public QueuePolicy over(QueuePolicy declared, Map<String, String> arguments) {
        if (definition.isEmpty()) {
            return declared;
        }
        boolean quorum = QueueType.of(arguments) == QueueType.QUORUM;
        String exchange = declared.deadLetterExchange();
        String key = declared.deadLetterKey();
        return QueuePolicy.builder()
                .deadLetterExchange(exchange != null ? exchange : text(PolicyKey.DEAD_LETTER_EXCHANGE.text()))
                .deadLetterKey(key != null ? key : text(PolicyKey.DEAD_LETTER_KEY.text()))
                .deliveryLimit(deliveryLimit(declared, arguments))
                .messageTtl(least(declared.messageTtl(), PolicyKey.MESSAGE_TTL))
                .expires(least(declared.expires(), PolicyKey.EXPIRES))
                .maxLength(least(declared.maxLength(), PolicyKey.MAX_LENGTH))
                .maxBytes(least(declared.maxBytes(), PolicyKey.MAX_LENGTH_BYTES))
                .overflow(overflow(declared, quorum, arguments.containsKey("x-overflow")))
                .maxPriority(declared.maxPriority())
                .singleActiveConsumer(declared.singleActiveConsumer())
                .retry(declared.retry() != null ? declared.retry() : retry())
                .groups(declared.groups())
                .build();
    }

    private long least(long declared, PolicyKey key) {
        long set = number(key.text(), -1);
        return declared < 0 ? set : set < 0 ? declared : Math.min(declared, set);
    }

    /** Without a limit is more than any. */
    private int deliveryLimit(QueuePolicy declared, Map<String, String> arguments) {
        if (!definition.containsKey(PolicyKey.DELIVERY_LIMIT.text())) {
            return declared.deliveryLimit();
        }
        int set = (int) number(PolicyKey.DELIVERY_LIMIT.text(), -1);
        int own = declared.deliveryLimit();
        if (!arguments.containsKey("x-delivery-limit")) {
            return set;
        }
        return set < 0 || own < 0 ? Math.max(set, own) : Math.min(set, own);
    }

    private Overflow overflow(QueuePolicy declared, boolean quorum, boolean isArgument) {
        String set = text(PolicyKey.OVERFLOW.text());
        if (set == null || isArgument && !quorum) {
            return declared.overflow();
        }
        for (Overflow overflow : Overflow.values()) {
            if (overflow.text().equals(set)) {
                // which quorum queues do not have
                return quorum && overflow == Overflow.REJECT_PUBLISH_DLX ? Overflow.DROP_HEAD : overflow;
            }
        }
        return declared.overflow();
    }

    private @Nullable RetryBackoff retry() {
        long first = number(PolicyKey.RETRY_MIN.text(), 0);
        return first == 0
                ? null
                : new RetryBackoff(
                        first,
                        number(PolicyKey.RETRY_MAX.text(), RetryBackoff.MAX_MILLIS),
                        (int) number(PolicyKey.RETRY_MULTIPLIER.text(), RetryBackoff.LINEAR),
                        (int) number(PolicyKey.RETRY_JITTER.text(), 0));
    }
}
