package io.sluice.routing.policy;

import org.jspecify.annotations.Nullable;

/** What a policy is for; RabbitMQ's {@code apply-to}. Stored by position. */
public enum PolicyTarget {
    ALL("all"),
    QUEUES("queues"),
    CLASSIC_QUEUES("classic_queues"),
    QUORUM_QUEUES("quorum_queues"),
    STREAMS("streams"),
    EXCHANGES("exchanges");

    private final String text;

    PolicyTarget(String text) {
        this.text = text;
    }

    /** RabbitMQ's word for it. */
    public String text() {
        return text;
    }

    /** The target of this word, null if there is none. */
    public static @Nullable PolicyTarget of(String text) {
        for (PolicyTarget target : values()) {
            if (target.text.equals(text)) {
                return target;
            }
        }
        return null;
    }

    boolean takesExchanges() {
        return this == ALL || this == EXCHANGES;
    }

    boolean takes(QueueType type) {
        return switch (this) {
            case ALL, QUEUES -> true;
            case CLASSIC_QUEUES -> type == QueueType.CLASSIC;
            case QUORUM_QUEUES -> type == QueueType.QUORUM;
            case STREAMS -> type == QueueType.STREAM;
            case EXCHANGES -> false;
        };
    }
}
