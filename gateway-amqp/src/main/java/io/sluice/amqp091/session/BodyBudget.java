package io.sluice.amqp091.session;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Bytes of message bodies of which frames are still missing, or of transactions not yet committed. They cannot be waited for by
 * reading less, since what completes them comes on the same socket; so a connection that goes over its share, or over what is left of the sum of all, is closed with 506.
 * One object per connection, confined to its loop; the sum is shared by all.
 */
public final class BodyBudget {
    private final String what;
    private final AtomicLong total;
    private final long totalLimit;
    private final long limit;
    private long used;

    /**
     * Creates the budget of one connection.
     *
     * @param what names them in errors
     * @param total bytes held by all connections
     * @param totalLimit most that all may hold, bytes
     * @param limit most that this one may hold, bytes
     */
    public BodyBudget(String what, AtomicLong total, long totalLimit, long limit) {
        this.what = what;
        this.total = total;
        this.totalLimit = totalLimit;
        this.limit = limit;
    }

    /**
     * Takes {@code bytes}.
     *
     * @throws AmqpException RESOURCE_ERROR if there are not so many left
     */
    public void take(int bytes) {
        if (used + bytes > limit) {
            throw new AmqpException(
                    ReplyCode.RESOURCE_ERROR,
                    what + " of this connection exceed " + limit + " bytes; use fewer channels at a time");
        }
        if (total.addAndGet(bytes) > totalLimit) {
            total.addAndGet(-bytes);
            throw new AmqpException(
                    ReplyCode.RESOURCE_ERROR,
                    "unfinished messages and open transactions of all connections exceed " + totalLimit
                            + " bytes; try again later");
        }
        used += bytes;
    }

    public void giveBack(int bytes) {
        used -= bytes;
        total.addAndGet(-bytes);
    }

    /** Bytes held now. */
    public long used() {
        return used;
    }
}
