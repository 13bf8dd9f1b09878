package io.sluice.queue;

/** Why a message leaves its queue unconsumed. */
public enum DeathReason {
    /** A consumer refused it. */
    REJECTED("rejected"),
    /** Its time to live was over. */
    EXPIRED("expired"),
    /** The queue was longer or larger than its limit. */
    MAXLEN("maxlen"),
    /** It failed more often than the queue allows. */
    DELIVERY_LIMIT("delivery_limit");

    private final String text;

    DeathReason(String text) {
        this.text = text;
    }

    /** The reason as it stands in the death history, RabbitMQ's word. */
    public String text() {
        return text;
    }
}
