package io.sluice.queue;

import org.jspecify.annotations.Nullable;

/**
 * What a queue does with its messages.
 *
 * @param deadLetterExchange exchange for dead letters, empty = default exchange, null = drop them
 * @param deadLetterKey routing key for dead letters, null = the message's own
 * @param deliveryLimit failed deliveries after which a message is dead-lettered, -1 = none
 * @param messageTtl milliseconds after which a message expires, -1 = never; 0 = unless it can be delivered at once
 * @param expires milliseconds without consumer, declaration and get after which the queue is deleted, -1 = never
 * @param maxLength messages that may wait, -1 = any number
 * @param maxBytes bytes that the waiting messages may have, -1 = any number
 * @param overflow what happens beyond either limit
 * @param maxPriority highest priority that is told from lower ones, 0 = none is; above 31 the levels are scaled to 32
 * @param singleActiveConsumer true if one consumer at a time gets messages and another takes over when it leaves
 * @param delayed true if nobody consumes it: each message waits until it expires, wherever it stands, and is then published anew
 * @param retry how long a message that failed waits, null = not at all
 * @param groups which messages keep their order among several consumers, null = none
 */
public record QueuePolicy(
        @Nullable String deadLetterExchange,
        @Nullable String deadLetterKey,
        int deliveryLimit,
        long messageTtl,
        long expires,
        long maxLength,
        long maxBytes,
        Overflow overflow,
        int maxPriority,
        boolean singleActiveConsumer,
        boolean delayed,
        @Nullable RetryBackoff retry,
        @Nullable MessageGroups groups) {
    public static final QueuePolicy NONE = builder().build();

    public QueuePolicy {
        if (maxPriority < 0 || maxPriority > 255) {
            throw new IllegalArgumentException("maximum priority " + maxPriority + " is not from 0 to 255");
        }
        if (expires == 0) {
            throw new IllegalArgumentException("a queue cannot expire after 0 ms");
        }
    }

    public static Builder builder() {
        return new Builder();
    }

    /** True if messages may be refused at publishing. */
    public boolean refusesPublishes() {
        return overflow != Overflow.DROP_HEAD && (maxLength >= 0 || maxBytes >= 0);
    }

    /** Collects the settings that differ from {@link #NONE}. */
    public static final class Builder {
        private @Nullable String deadLetterExchange;
        private @Nullable String deadLetterKey;
        private int deliveryLimit = -1;
        private long messageTtl = -1;
        private long expires = -1;
        private long maxLength = -1;
        private long maxBytes = -1;
        private Overflow overflow = Overflow.DROP_HEAD;
        private int maxPriority;
        private boolean singleActiveConsumer;
        private boolean delayed;
        private @Nullable RetryBackoff retry;
        private @Nullable MessageGroups groups;

        private Builder() {}

        public Builder deadLetterExchange(@Nullable String name) {
            deadLetterExchange = name;
            return this;
        }

        public Builder deadLetterKey(@Nullable String key) {
            deadLetterKey = key;
            return this;
        }

        public Builder deliveryLimit(int failures) {
            deliveryLimit = failures;
            return this;
        }

        public Builder messageTtl(long millis) {
            messageTtl = millis;
            return this;
        }

        public Builder expires(long millis) {
            expires = millis;
            return this;
        }

        public Builder maxLength(long messages) {
            maxLength = messages;
            return this;
        }

        public Builder maxBytes(long bytes) {
            maxBytes = bytes;
            return this;
        }

        public Builder overflow(Overflow what) {
            overflow = what;
            return this;
        }

        public Builder maxPriority(int priority) {
            maxPriority = priority;
            return this;
        }

        public Builder singleActiveConsumer(boolean single) {
            singleActiveConsumer = single;
            return this;
        }

        public Builder delayed(boolean waits) {
            delayed = waits;
            return this;
        }

        public Builder retry(@Nullable RetryBackoff backoff) {
            retry = backoff;
            return this;
        }

        public Builder groups(@Nullable MessageGroups which) {
            groups = which;
            return this;
        }

        public QueuePolicy build() {
            QueuePolicy built = new QueuePolicy(
                    deadLetterExchange,
                    deadLetterKey,
                    deliveryLimit,
                    messageTtl,
                    expires,
                    maxLength,
                    maxBytes,
                    overflow,
                    maxPriority,
                    singleActiveConsumer,
                    delayed,
                    retry,
                    groups);
            // most queues have none, and share it
            return built.equals(NONE) ? NONE : built;
        }
    }
}
