package io.sluice.engine.local;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.netty.util.IllegalReferenceCountException;
import io.sluice.log.PartitionId;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.DecodedBatch;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;

/** Batches read back and decoded, within a budget. Thread-safe. */
final class DecodedCache {
    private record Key(PartitionId partition, long baseOffset) {}

    private final Cache<Key, DecodedBatch> cache;
    private final Map<PartitionId, ConcurrentSkipListMap<Long, DecodedBatch>> byOffset = new ConcurrentHashMap<>();

    DecodedCache(long budget) {
        cache = Caffeine.newBuilder()
                .maximumWeight(budget)
                .weigher((Key key, DecodedBatch batch) -> batch.sizeInBytes())
                .executor(Runnable::run)
                .evictionListener((key, batch, cause) -> {
                    if (key != null && batch != null) {
                        forget(key, batch);
                    }
                })
                .build();
    }

    /** The batch holding {@code offset}, retained for the caller, or null. */
    @Nullable
    BatchView find(PartitionId partition, long offset) {
        ConcurrentSkipListMap<Long, DecodedBatch> batches = byOffset.get(partition);
        if (batches == null) {
            return null;
        }
        Map.Entry<Long, DecodedBatch> entry = batches.floorEntry(offset);
        if (entry == null || entry.getValue().lastOffset() < offset) {
            return null;
        }
        // Counts the use and tells whether the batch was evicted at this moment: then it is a miss.
        if (cache.getIfPresent(new Key(partition, entry.getKey())) == null) {
            return null;
        }
        try {
            return entry.getValue().retain();
        } catch (IllegalReferenceCountException e) {
            return null;
        }
    }

    /** Takes over one reference. */
    void put(PartitionId partition, DecodedBatch batch) {
        Key key = new Key(partition, batch.baseOffset());
        if (cache.asMap().putIfAbsent(key, batch) != null) {
            batch.release();
            return;
        }
        byOffset.computeIfAbsent(partition, id -> new ConcurrentSkipListMap<>()).put(batch.baseOffset(), batch);
        if (cache.getIfPresent(key) == null) {
            // Evicted before it was listed.
            ConcurrentSkipListMap<Long, DecodedBatch> batches = byOffset.get(partition);
            if (batches != null) {
                batches.remove(batch.baseOffset(), batch);
            }
        }
    }

    private void forget(Key key, DecodedBatch batch) {
        ConcurrentSkipListMap<Long, DecodedBatch> batches = byOffset.get(key.partition());
        if (batches != null) {
            batches.remove(key.baseOffset(), batch);
        }
        batch.release();
    }

    /** Drops everything of a partition: it is deleted or compacted. */
    void drop(PartitionId partition) {
        ConcurrentSkipListMap<Long, DecodedBatch> batches = byOffset.remove(partition);
        if (batches != null) {
            batches.forEach((offset, batch) -> {
                if (cache.asMap().remove(new Key(partition, offset), batch)) {
                    batch.release();
                }
            });
        }
    }

    void clear() {
        byOffset.keySet().forEach(this::drop);
    }
}
