package io.sluice.queue;

/** What a queue at its length limit does with one message more; the words of RabbitMQ's {@code x-overflow}. */
public enum Overflow {
    /** The message that is next in turn goes (dead-lettered, if there is a target). */
    DROP_HEAD("drop-head"),
    /** The new message is refused, its publisher told so. */
    REJECT_PUBLISH("reject-publish"),
    /** As {@link #REJECT_PUBLISH}, and the new message is dead-lettered. */
    REJECT_PUBLISH_DLX("reject-publish-dlx");

    private final String text;

    Overflow(String text) {
        this.text = text;
    }

    public String text() {
        return text;
    }
}
