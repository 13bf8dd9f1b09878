package io.sluice.queue;

/**
 * Somebody who looks at what waits in a queue. Messages come in the queue's order as copies: they stay, and nothing about them
 * changes. Each one that waited when the browser came, and still does when its turn comes, is shown once; those that came later are not.
 * Messages that are with a consumer, or wait to be tried again, are not shown. All methods may be called on any one thread and are
 * messages to the shard, in call order.
 */
public interface QueueBrowser {
    /** Grants {@code n} more messages; {@link Integer#MAX_VALUE} for all. */
    void credit(int n);

    /** Leaves. */
    void close();
}
