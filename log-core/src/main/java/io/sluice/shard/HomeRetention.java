package io.sluice.shard;

import io.sluice.io.Clock;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogPartition;
import io.sluice.queue.Reference;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Gives space of the home partitions back: what lies below all references at once, what lies between them when it is a lot. The
 * second asks the engine to write segments anew, one partition at a time, and only while less than a quarter of the partition's
 * offsets is live and more than two segments are there: that is the bound that it keeps. Shard thread.
 */
final class HomeRetention {
    private static final long EVERY_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** A partition is asked for its dead batches this often, and less often while there is nothing to be won. */
    private static final long ASK_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final int MAX_BACK_OFF = 64;
    private static final int LIVE_SHARE = 4;
    private static final int FREE_SEGMENTS = 2;

    private final Clock clock;
    private final LogPartition[] home;
    private final HomePins[] pins;
    private final Asked[] asked;
    private long lastNanos;
    private int next;
    private @Nullable Asked running;

    /** When and with what result a partition was asked. */
    private static final class Asked {
        private final LogPartition partition;
        private CompletableFuture<Long> won = CompletableFuture.completedFuture(0L);
        private long sizeAfter;
        private long nanos;
        private int backOff = 1;

        Asked(LogPartition partition, long nanos) {
            this.partition = partition;
            this.nanos = nanos;
        }
    }

    HomeRetention(Clock clock, LogPartition[] home) {
        this.clock = clock;
        this.home = home;
        pins = new HomePins[home.length];
        asked = new Asked[home.length];
        lastNanos = clock.nanoTime();
        for (int i = 0; i < home.length; i++) {
            pins[i] = new HomePins();
            asked[i] = new Asked(home[i], lastNanos);
        }
    }

    /** A queue refers to this message in a home partition. */
    void add(long position) {
        pins[Reference.partition(position)].add(Reference.offset(position));
    }

    /** A queue is done with it. */
    void remove(long position) {
        pins[Reference.partition(position)].remove(Reference.offset(position));
    }

    /** True if a second has passed, in which {@link #work} is due. */
    boolean isDue() {
        long now = clock.nanoTime();
        if (now - lastNanos < EVERY_NANOS) {
            return false;
        }
        lastNanos = now;
        return true;
    }

    /**
     * Lets go what is not referred to.
     *
     * @param fed per partition, the offset up to which queues know all messages
     */
    void work(long[] fed) {
        for (int i = 0; i < home.length; i++) {
            long floor = pins[i].floor(fed[i]);
            if (floor > home[i].logStartOffset()) {
                home[i].truncatePrefix(floor);
            }
        }
        Asked before = running;
        if (before != null) {
            if (!before.won.isDone()) {
                return;
            }
            running = null;
            boolean wonNothing = before.won.isCompletedExceptionally() || before.won.getNow(0L) == 0;
            before.backOff = wonNothing ? Math.min(MAX_BACK_OFF, before.backOff * 2) : 1;
            before.sizeAfter = before.partition.sizeInBytes();
            before.nanos = lastNanos;
        }
        for (int i = 0; i < home.length; i++) {
            int index = next++ % home.length;
            if (isWorthAsking(index, fed[index])) {
                LiveOffsets live = pins[index].live(fed[index]);
                running = asked[index];
                running.won = home[index].dropDead(live).toCompletableFuture();
                return;
            }
        }
    }

    private boolean isWorthAsking(int index, long fed) {
        long offsets = fed - home[index].logStartOffset();
        if (pins[index].liveRuns() * LiveOffsets.RUN * LIVE_SHARE >= offsets) {
            return false;
        }
        long size = home[index].sizeInBytes();
        long segment = home[index].stream().config().segmentBytes();
        Asked last = asked[index];
        int backOff = size - last.sizeAfter >= segment ? 1 : last.backOff;
        return size > FREE_SEGMENTS * segment && lastNanos - last.nanos >= backOff * ASK_NANOS;
    }
}
