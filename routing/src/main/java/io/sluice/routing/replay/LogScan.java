package io.sluice.routing.replay;

import io.sluice.log.Isolation;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import java.util.function.Consumer;

/** Reads a partition from its start to its high watermark, before traffic. Blocks the calling thread. */
public final class LogScan {
    private LogScan() {}

    /**
     * Hands over every record below the high watermark, in order; the view is valid during the call only.
     *
     * @return the offset after the last record read
     */
    public static long readAll(LogPartition partition, Consumer<RecordView> each) {
        long offset = partition.logStartOffset();
        long end = partition.highWatermark();
        RecordView record = new RecordView();
        while (offset < end) {
            long base = firstBatch(partition, offset);
            if (base < 0) {
                break;
            }
            BatchView batch = partition
                    .loadBatch(Math.max(offset, base), Runnable::run)
                    .toCompletableFuture()
                    .join();
            if (batch == null) {
                offset = Math.max(offset, base) + 1;
                continue;
            }
            try {
                for (int i = 0; i < batch.recordCount(); i++) {
                    batch.recordAt(i, record);
                    if (record.offset() >= offset) {
                        each.accept(record);
                    }
                }
                offset = batch.lastOffset() + 1;
            } finally {
                batch.release();
            }
        }
        return Math.max(offset, end);
    }

    /** Base offset of the first batch that ends at or after {@code offset} (offsets may have gaps), -1 if there is none. */
    public static long firstBatch(LogPartition partition, long offset) {
        LogSlice slice = partition.read(offset, 1, Isolation.HIGH_WATERMARK);
        try {
            return slice.sizeInBytes() == 0 ? -1 : slice.baseOffset();
        } finally {
            slice.release();
        }
    }
}
