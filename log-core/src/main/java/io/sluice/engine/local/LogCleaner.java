package io.sluice.engine.local;

import io.sluice.log.StreamConfig;
import io.sluice.log.segment.Segment;

/** Retention by age and size, and forgetting idle producers. Cleaner thread. */
final class LogCleaner {
    private final LocalLogEngine engine;

    LogCleaner(LocalLogEngine engine) {
        this.engine = engine;
    }

    void run() {
        long now = engine.clock().epochMillis();
        for (LocalPartition partition : engine.partitions()) {
            if (!partition.isClosed()) {
                retain(partition, now);
                partition.producers().expire(now, engine.settings().producerIdleMillis());
            }
        }
    }

    private void retain(LocalPartition partition, long now) {
        StreamConfig config = partition.stream().config();
        if (!config.delete()) {
            return;
        }
        Segment[] segments = partition.segments().all();
        long size = partition.sizeInBytes();
        long start = partition.logStartOffset();
        for (int i = 0; i + 1 < segments.length; i++) {
            Segment segment = segments[i];
            boolean old = config.retentionMillis() >= 0 && now - segment.maxTimestamp() > config.retentionMillis();
            boolean tooMuch = config.retentionBytes() >= 0 && size - segment.size() >= config.retentionBytes();
            if (!old && !tooMuch || segments[i + 1].baseOffset() > partition.highWatermark()) {
                break;
            }
            size -= segment.size();
            start = segments[i + 1].baseOffset();
        }
        partition.raiseLogStart(start);
    }
}
