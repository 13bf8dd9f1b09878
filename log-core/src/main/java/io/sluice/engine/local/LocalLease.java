package io.sluice.engine.local;

import io.sluice.engine.ShardLease;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.wal.WalPass;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A shard's right to write. All but the {@link WalPass.Listener} methods on the writer thread. */
final class LocalLease implements ShardLease, WalPass.Listener {
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
    private volatile long encoded;
    private volatile long segmentsWritten;

    private static final class Pass {
        private final long number;
        private final boolean group;
        private final LocalPartition[] partitions;
        /** End offset of each partition after the pass. */
        private final long[] ends;

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
        if (!valid || failed) {
            dropStaged();
            checkValid();
        }
        long number = ++lastPass;
        WalPass logged = new WalPass(this, number, wakeUp);
        int count = staged.size();
        for (int i = 0; i < count; i++) {
            staged.get(i).collect(logged);
        }
        boolean group = !logged.isEmpty();
        if (group) {
            groupsInFlight++;
            engine.wal().submit(logged);
        }
        Pass pass = new Pass(number, group, staged.toArray(new LocalPartition[0]));
        writeSegments(pass);
        staged.clear();
        segmentsWritten = number;
        unfinished.addLast(pass);
        if (groupsInFlight == 0) {
            completeReady();
        }
        return number;
    }

    private void writeSegments(Pass pass) {
        int i = 0;
        try {
            for (; i < pass.partitions.length; i++) {
                pass.ends[i] = pass.partitions[i].writeStaged(writer);
            }
        } catch (IOException | RuntimeException e) {
            dropStaged();
            engine.fail("Writing a segment of " + pass.partitions[i] + " failed", e);
            throw new LogException(Reason.FENCED, "writing a segment failed: " + e.getMessage(), e);
        }
    }

    @Override
    public long poll() {
        checkValid();
        completeReady();
        return completed;
    }

    private void completeReady() {
        long onDisk = durable;
        Pass next = unfinished.peekFirst();
        while (next != null && (!next.group || next.number <= onDisk)) {
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
        engine.released(this);
    }

    // ---- sync and checkpoint threads

    @Override
    public void passEncoded(long number) {
        encoded = number;
    }

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

    /** Number of the newest pass in the write-ahead log. */
    long encoded() {
        return encoded;
    }

    /** True if the segments hold all passes up to {@code number}. */
    boolean hasWritten(long number) {
        return segmentsWritten >= number || failed;
    }
}
