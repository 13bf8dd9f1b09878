package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.record.BatchView;
import io.sluice.queue.DeathReason;
import io.sluice.queue.Reference;
import io.sluice.queue.Republisher;
import io.sluice.queue.state.QueueDelta;
import java.util.ArrayDeque;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * Messages on their way to a dead-letter target. Each is read, given to the {@link Republisher} and settled in the pass that stores
 * its copy, so that a restart finds the one or the other; whatever fails on the way is tried again, a second later at the earliest and not while nothing can be stored. Shard
 * thread.
 */
final class DyingMessages {
    private static final Logger LOG = LoggerFactory.getLogger(DyingMessages.class);
    private static final long RETRY_NANOS = 1_000_000_000L;
    private static final int AT_ONCE = 1024;

    private final DeliveryQueues queues;
    private final Clock clock;
    private @Nullable Republisher republisher;
    private ArrayList<Dying> fresh = new ArrayList<>();
    private final ArrayDeque<Dying> failed = new ArrayDeque<>();
    private long retryAt;

    DyingMessages(DeliveryQueues queues, Clock clock) {
        this.queues = queues;
        this.clock = clock;
    }

    final class Dying implements Republisher.Outcome {
        private final DeliveryQueue queue;
        private final long deliveryId;
        private final long position;
        private final long state;
        private final DeathReason reason;

        Dying(DeliveryQueue queue, long deliveryId, long position, long state, DeathReason reason) {
            this.queue = queue;
            this.deliveryId = deliveryId;
            this.position = position;
            this.state = state;
            this.reason = reason;
        }

        void attempt() {
            if (!queue.isClosed()) {
                queues.withBatch(position, this::republish, this::retry);
            }
        }

        private void republish(@Nullable BatchView source) {
            Republisher to = republisher;
            if (queue.isClosed() || to == null) {
                return;
            }
            if (source == null) {
                LOG.atLevel(queues.mayBeGone(position) ? Level.DEBUG : Level.WARN)
                        .log("A dead letter of queue '{}' has no record any more: dropped", name());
                queue.deadLettered(deliveryId);
            } else {
                try {
                    if (queue.spec().policy().delayed()) {
                        to.due(queue.spec(), source, Reference.offset(position), this);
                        return;
                    }
                    to.deadLetter(
                            queue.spec(),
                            source,
                            Reference.offset(position),
                            reason,
                            Reference.deliveryCount(state),
                            this);
                } catch (RuntimeException e) {
                    retry(e);
                }
            }
        }

        /**
         * Its copy was staged in this pass: adds its settlement, for partition {@code state}, no more durable than the copy asks
         * for.
         */
        void stage(Pass pass, LogPartition state, long timestamp) {
            if (!queue.beginReplacing(deliveryId)) {
                return;
            }
            pass.replaced.add(this);
            if (queue.isJournaled(position)) {
                ByteBuf value = PooledByteBufAllocator.DEFAULT.buffer();
                QueueDelta delta = new QueueDelta();
                delta.settled(position);
                delta.write(value, queue.spec().id().value());
                pass.settlements(state).add(value, timestamp, Durability.OS);
                value.release();
            }
        }

        /** Copy and settlement are stored, or neither. */
        void endReplacing(boolean stored) {
            queue.endReplacing(deliveryId, stored);
        }

        @Override
        public void settled() {
            queues.executor().execute(() -> queue.deadLettered(deliveryId));
        }

        @Override
        public void failed(LogException error) {
            queues.executor().execute(() -> {
                if (error.reason() == LogException.Reason.BATCH_TOO_LARGE) {
                    LOG.warn("A dead letter of queue '{}' is dropped: {}", name(), error.getMessage());
                    queue.deadLettered(deliveryId);
                } else {
                    retry(error);
                }
            });
        }

        private void retry(Throwable error) {
            if (failed.isEmpty()) {
                retryAt = clock.nanoTime() + RETRY_NANOS;
                LOG.warn("A dead letter of queue '{}' is not stored yet: {}", name(), error.toString());
            }
            failed.add(this);
        }

        private String name() {
            return queue.spec().name();
        }
    }

    void republisher(Republisher to) {
        republisher = to;
    }

    /** Nothing is given to the routing any more. */
    void stop() {
        republisher = null;
    }

    /** Takes up a message; works on it after the current command, since the machine must not be called from within one. */
    void add(DeliveryQueue queue, long deliveryId, long position, long state, DeathReason reason) {
        fresh.add(new Dying(queue, deliveryId, position, state, reason));
    }

    /** Works on what was taken up, and on what failed if its time has come and {@code storing} says that it makes sense. */
    void work(boolean storing) {
        if (republisher == null) {
            // a start has found dying messages before the routing is there
            return;
        }
        while (!fresh.isEmpty()) {
            ArrayList<Dying> now = fresh;
            fresh = new ArrayList<>();
            for (Dying dying : now) {
                dying.attempt();
            }
        }
        if (!failed.isEmpty() && storing && clock.nanoTime() - retryAt >= 0) {
            retryAt = clock.nanoTime() + RETRY_NANOS;
            for (int i = Math.min(failed.size(), AT_ONCE); i > 0; i--) {
                failed.remove().attempt();
            }
        }
    }
}
