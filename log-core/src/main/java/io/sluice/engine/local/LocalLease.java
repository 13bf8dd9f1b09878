package io.sluice.engine.local;

import io.sluice.engine.ShardLease;
import io.sluice.engine.local.DiskWatch.Growth;
import io.sluice.io.NoSpaceException;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.record.GroupMark;
import io.sluice.log.wal.WalPass;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A shard's right to write. All but the {@link WalPass.Listener} methods on the writer thread.
 *
 * <p>When a segment cannot grow for want of space, the pass <em>waits</em>: it stays in memory, nothing further is taken, and every
 * {@link #poll} tries again where the write broke off. It is neither confirmed nor refused until then, since the write-ahead log
 * may hold it already.
 */
final class LocalLease implements ShardLease, WalPass.Listener {
    private static final Logger log = LoggerFactory.getLogger(LocalLease.class);
    private static final long RETRY_NANOS = 100_000_000L;

    private final LocalLogEngine engine;
    private final SegmentWriter writer;
    private final TailCache tailCache;
    private final List<LocalPartition> staged = new ArrayList<>();
    private final ArrayDeque<Pass> unfinished = new ArrayDeque<>();
    private int groupsInFlight;
    private long lastPass;
    private long completed;

    private volatile boolean valid = true;
    private volatile boolean failed;
    private volatile long durable;
    /** Held while a pass goes to log and segments: whoever else holds it finds all passes whole. */
    private final ReentrantLock passes = new ReentrantLock();

    private volatile @Nullable Pass waiting;
    private volatile Runnable lastWakeUp = () -> {};
    private Growth growth = Growth.ALL;
    private long triedAt;

    private static final class Pass {
        private final long number;
        private final boolean group;
        private final LocalPartition[] partitions;
        /** End offset of each partition after the pass. */
        private final long[] ends;
        /** Number of partitions whose batches are in the segments. */
        private int written;

        Pass(long number, boolean group, LocalPartition[] partitions) {
            this.number = number;
            this.group = group;
            this.partitions = partitions;
            this.ends = new long[partitions.length];
        }
    }

    LocalLease(LocalLogEngine engine) {
        this.engine = engine;
        this.writer = new SegmentWriter(engine.clock());
        this.tailCache = new TailCache(engine.settings().tailCacheBytes());
    }

    boolean isValid() {
        return valid;
    }

    TailCache tailCache() {
        return tailCache;
    }

    /** Any thread: from now on nothing can be appended. */
    void fence() {
        valid = false;
    }

    @Override
    public @Nullable LogPartition writable(PartitionId id) {
        checkValid();
        LocalPartition partition = engine.local(id);
        if (partition != null) {
            partition.claim(this);
        }
        return partition;
    }

    /**
     * Checks that a partition of this kind may grow; what holds for the first append of a pass holds for all of them.
     *
     * @throws LogException DISK_FULL
     */
    void checkSpace(StreamConfig config) {
        if (waiting != null) {
            throw new LogException(Reason.DISK_FULL, "the disk is full; a write waits for space");
        }
        if (staged.isEmpty()) {
            growth = engine.growth();
        }
        if (growth == Growth.NOTHING || growth == Growth.JOURNALS && !config.journal()) {
            throw new LogException(Reason.DISK_FULL, "the disk is full");
        }
    }

    @Override
    public boolean waitsForSpace() {
        return waiting != null || engine.wal().waitsForSpace();
    }

    /** The partition has its first batch of this pass. */
    void staged(LocalPartition partition) {
        staged.add(partition);
    }

    @Override
    public boolean hasStaged() {
        return !staged.isEmpty();
    }

    @Override
    public boolean syncInFlight() {
        return groupsInFlight > 0;
    }

    @Override
    public long commit(Runnable wakeUp) {
        long number;
        passes.lock();
        try {
            number = commitPass(wakeUp);
        } finally {
            passes.unlock();
        }
        if (groupsInFlight == 0) {
            completeReady();
        }
        return number;
    }

    private long commitPass(Runnable wakeUp) {
        if (!valid || failed) {
            dropStaged();
            checkValid();
        }
        seal();
        long number = ++lastPass;
        WalPass logged = new WalPass(this, number, wakeUp);
        int count = staged.size();
        for (int i = 0; i < count; i++) {
            staged.get(i).collect(logged);
        }
        boolean group = !logged.isEmpty();
        lastWakeUp = wakeUp;
        if (group) {
            groupsInFlight++;
            engine.wal().submit(logged);
        }
        Pass pass = new Pass(number, group, staged.toArray(new LocalPartition[0]));
        unfinished.addLast(pass);
        if (waiting == null) {
            writeSegments(pass);
        }
        staged.clear();
        return number;
    }

    /**
     * Completes what the broker built. Several batches of it are a group: marked, so that recovery finds out whether all of them
     * are there; and all in the log if one is, so that the log has them all.
     */
    private void seal() {
        int parts = 0;
        boolean log = false;
        for (int i = 0; i < staged.size(); i++) {
            StagedBatches batches = staged.get(i).toBeWritten();
            if (batches != null) {
                parts += batches.builtCount();
                log |= batches.isBuiltLogged();
            }
        }
        long mark = parts > 1 ? engine.nextMark(parts) : GroupMark.NONE;
        for (int i = 0; i < staged.size(); i++) {
            staged.get(i).seal(mark, parts > 1 && log);
        }
    }

    private void writeSegments(Pass pass) {
        long bytes = 0;
        try {
            while (pass.written < pass.partitions.length) {
                LocalPartition partition = pass.partitions[pass.written];
                bytes += partition.stagedBytes();
                pass.ends[pass.written] = partition.writeStaged(writer);
                pass.written++;
            }
        } catch (NoSpaceException e) {
            if (waiting == null) {
                log.warn("Pass {} waits for disk space: {}", pass.number, e.getMessage());
                waiting = pass;
                engine.checkDiskSoon();
            }
            triedAt = engine.clock().nanoTime();
            return;
        } catch (IOException | RuntimeException e) {
            dropStaged();
            engine.fail("Writing a segment of " + pass.partitions[pass.written] + " failed", e);
            throw new LogException(Reason.FENCED, "writing a segment failed: " + e.getMessage(), e);
        }
        engine.wrote(bytes);
        if (waiting != null) {
            log.info("Pass {} found disk space", pass.number);
            waiting = null;
            engine.checkDiskSoon();
        }
    }

    /** Repeats a write that found no space, at most every 100 ms. */
    private void writeWaiting() {
        Pass pass = waiting;
        if (pass != null && engine.clock().nanoTime() - triedAt >= RETRY_NANOS) {
            passes.lock();
            try {
                writeSegments(pass);
            } finally {
                passes.unlock();
            }
        }
    }

    /** Asks the writer to poll if it waits for space. Any thread. */
    void wakeIfWaiting() {
        if (waiting != null) {
            lastWakeUp.run();
        }
    }

    @Override
    public long poll() {
        checkValid();
        writeWaiting();
        completeReady();
        return completed;
    }

    private void completeReady() {
        long onDisk = durable;
        Pass next = unfinished.peekFirst();
        Pass unwritten = waiting;
        while (next != null
                && (!next.group || next.number <= onDisk)
                && (unwritten == null || next.number < unwritten.number)) {
            unfinished.removeFirst();
            if (next.group) {
                groupsInFlight--;
            }
            completed = next.number;
            for (int i = 0; i < next.partitions.length; i++) {
                next.partitions[i].advance(next.ends[i]);
            }
            next = unfinished.peekFirst();
        }
    }

    private void checkValid() {
        if (failed) {
            throw new LogException(Reason.FENCED, "the write-ahead log failed");
        }
        if (!valid) {
            throw new LogException(Reason.FENCED, "the lease was given back or taken over");
        }
    }

    private void dropStaged() {
        for (LocalPartition partition : staged) {
            partition.dropStaged();
        }
        staged.clear();
        Pass pass = waiting;
        if (pass != null) {
            for (int i = pass.written; i < pass.partitions.length; i++) {
                pass.partitions[i].dropStaged();
            }
        }
    }

    @Override
    public void release() {
        dropStaged();
        if (valid && !failed) {
            // In flight ones become durable without being announced; a reader sees them with the next lease or start.
            engine.awaitWritten(this);
            completeReady();
        }
        valid = false;
        tailCache.clear();
        if (isTorn()) {
            engine.leftTorn();
        }
        engine.released(this);
    }

    // ---- sync and checkpoint threads

    @Override
    public void passesDurable(long number, Runnable wakeUp) {
        durable = number;
        wakeUp.run();
    }

    @Override
    public void passesFailed(Runnable wakeUp) {
        failed = true;
        wakeUp.run();
    }

    boolean isDone() {
        return failed || durable >= lastGroup();
    }

    private long lastGroup() {
        long last = 0;
        for (Pass pass : unfinished) {
            if (pass.group) {
                last = pass.number;
            }
        }
        return last;
    }

    /** Waits for the end of a pass that goes to log and segments, and keeps the next one from beginning until {@link #resume}. */
    void pause() {
        passes.lock();
    }

    void resume() {
        passes.unlock();
    }

    /** True if a pass is in the segments in part, for want of space. */
    boolean isTorn() {
        return waiting != null;
    }
}
