package io.sluice.engine.local;

import io.sluice.log.PartitionId;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.DecodedBatch;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Batches read back and decoded, within a budget: a segmented LRU. What is used a second time is protected, up to three quarters of
 * the budget, from what a long backlog brings in once. The same calls always leave the same batches, so that simulations repeat.
 * Thread-safe; a lookup is once per batch that a queue comes to, not per message.
 */
final class DecodedCache {
    private final long budget;
    private final long protectedBudget;
    private final Map<PartitionId, TreeMap<Long, Entry>> byOffset = new HashMap<>();
    private final Entry once = new Entry(null, null);
    private final Entry again = new Entry(null, null);
    private long bytes;
    private long protectedBytes;
    private boolean closed;

    /** A batch in one of two rings, most recently used first; a ring's head has none. */
    private static final class Entry {
        private final @Nullable PartitionId partition;
        private final @Nullable DecodedBatch batch;
        private final long weight;
        private boolean isProtected;
        private Entry before = this;
        private Entry after = this;

        Entry(@Nullable PartitionId partition, @Nullable DecodedBatch batch) {
            this.partition = partition;
            this.batch = batch;
            this.weight = batch == null ? 0 : batch.sizeInBytes();
        }

        private void unlink() {
            before.after = after;
            after.before = before;
        }

        private void linkBehind(Entry head) {
            before = head;
            after = head.after;
            after.before = this;
            head.after = this;
        }
    }

    DecodedCache(long budget) {
        this.budget = budget;
        this.protectedBudget = budget / 4 * 3;
    }

    /** The batch holding {@code offset}, retained for the caller, or null. */
    synchronized @Nullable BatchView find(PartitionId partition, long offset) {
        TreeMap<Long, Entry> batches = byOffset.get(partition);
        Map.Entry<Long, Entry> floor = batches == null ? null : batches.floorEntry(offset);
        if (floor == null) {
            return null;
        }
        Entry entry = floor.getValue();
        DecodedBatch batch = entry.batch;
        if (batch == null || batch.lastOffset() < offset) {
            return null;
        }
        use(entry);
        return batch.retain();
    }

    /** Takes over one reference. */
    synchronized void put(PartitionId partition, DecodedBatch batch) {
        Entry entry = new Entry(partition, batch);
        if (closed || entry.weight > budget) {
            batch.release();
            return;
        }
        TreeMap<Long, Entry> batches = byOffset.computeIfAbsent(partition, id -> new TreeMap<>());
        if (batches.putIfAbsent(batch.baseOffset(), entry) != null) {
            batch.release();
            return;
        }
        entry.linkBehind(once);
        bytes += entry.weight;
        while (bytes > budget) {
            // the newest one fits by itself, so a ring that it is alone in is not where the room is
            evict(once.before == entry ? again.before : once.before);
        }
    }

    /** Drops everything of a partition: it is deleted or compacted. */
    synchronized void drop(PartitionId partition) {
        TreeMap<Long, Entry> batches = byOffset.remove(partition);
        if (batches != null) {
            batches.values().forEach(this::remove);
        }
    }

    /** Drops everything and keeps nothing from now on. */
    synchronized void close() {
        closed = true;
        byOffset.values().forEach(batches -> batches.values().forEach(this::remove));
        byOffset.clear();
    }

    private void use(Entry entry) {
        entry.unlink();
        entry.linkBehind(again);
        if (!entry.isProtected) {
            entry.isProtected = true;
            protectedBytes += entry.weight;
            while (protectedBytes > protectedBudget) {
                Entry oldest = again.before;
                oldest.unlink();
                oldest.linkBehind(once);
                oldest.isProtected = false;
                protectedBytes -= oldest.weight;
            }
        }
    }

    private void evict(Entry entry) {
        PartitionId partition = entry.partition;
        DecodedBatch batch = entry.batch;
        if (partition == null || batch == null) {
            throw new IllegalStateException("decoded cache counts " + bytes + " bytes that it does not hold");
        }
        TreeMap<Long, Entry> batches = byOffset.get(partition);
        if (batches != null) {
            batches.remove(batch.baseOffset());
            if (batches.isEmpty()) {
                byOffset.remove(partition);
            }
        }
        remove(entry);
    }

    private void remove(Entry entry) {
        entry.unlink();
        bytes -= entry.weight;
        if (entry.isProtected) {
            protectedBytes -= entry.weight;
        }
        DecodedBatch batch = entry.batch;
        if (batch != null) {
            batch.release();
        }
    }
}
