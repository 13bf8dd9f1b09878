package io.sluice.amqp091.consume;

import io.netty.util.concurrent.Future;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.session.Session;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Closes a channel whose client leaves a delivery unacknowledged for too long (RabbitMQ, "Delivery Acknowledgement Timeout"). No
 * time is kept with a delivery: now and then the newest tag is noted, and what is still open of a note that is old enough is
 * overdue. Confined to the loop.
 */
final class AcknowledgementTimeouts {
    private static final Logger LOG = LoggerFactory.getLogger(AcknowledgementTimeouts.class);

    /** Longest time between two notes, ms: so much later than asked a channel may be closed. */
    private static final long LONGEST_PERIOD = 60_000;

    private static final long SHORTEST_PERIOD = 50;

    /** That deliveries up to this tag were there at this time. */
    private record Note(long nanos, long tag) {}

    private final Session connection;
    private final int channel;
    private final DeliveryWriter writer;
    private final UnackedDeliveries unacked;
    private final Deque<Note> notes = new ArrayDeque<>();
    private @Nullable Future<?> timer;
    private long shortest = Long.MAX_VALUE;
    private long longest;
    private boolean stopped;

    AcknowledgementTimeouts(Session connection, int channel, DeliveryWriter writer, UnackedDeliveries unacked) {
        this.connection = connection;
        this.channel = channel;
        this.writer = writer;
        this.unacked = unacked;
    }

    /** Deliveries with this limit may come, ms; 0 = without limit. */
    void expect(long timeoutMillis) {
        if (timeoutMillis <= 0 || stopped) {
            return;
        }
        longest = Math.max(longest, timeoutMillis);
        if (timeoutMillis < shortest || timer == null) {
            shortest = Math.min(shortest, timeoutMillis);
            if (timer != null) {
                timer.cancel(false);
            }
            schedule();
        }
    }

    private void schedule() {
        long period = Math.max(SHORTEST_PERIOD, Math.min(LONGEST_PERIOD, shortest / 4));
        timer = connection.executor().schedule(this::look, period, TimeUnit.MILLISECONDS);
    }

    private void look() {
        if (stopped) {
            return;
        }
        long now = connection.shared().broker().clock().nanoTime();
        notes.add(new Note(now, writer.lastTag()));
        while (notes.size() > 1 && now - notes.getFirst().nanos() > TimeUnit.MILLISECONDS.toNanos(2 * longest)) {
            notes.removeFirst(); // the next one says all that is needed
        }
        long overdue = unacked.overdue(timeoutMillis -> openSince(now, timeoutMillis));
        if (overdue > 0) {
            LOG.warn("{}: channel {}: a delivery was not acknowledged for {} ms", connection, channel, overdue);
            connection.fail(
                    channel,
                    0,
                    new AmqpException(
                            ReplyCode.PRECONDITION_FAILED,
                            "delivery acknowledgement on channel " + channel + " timed out. Timeout value used: "
                                    + overdue + " ms. This timeout value can be configured, see consumers doc guide to"
                                    + " learn more"));
        }
        if (!stopped) {
            schedule();
        }
    }

    /** The newest tag that was there this long ago. */
    private long openSince(long now, long timeoutMillis) {
        long tag = 0;
        for (Note note : notes) {
            if (now - note.nanos() >= TimeUnit.MILLISECONDS.toNanos(timeoutMillis)) {
                tag = note.tag();
            }
        }
        return tag;
    }

    void stop() {
        stopped = true;
        if (timer != null) {
            timer.cancel(false);
        }
    }
}
