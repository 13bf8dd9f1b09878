package io.sluice.log.record;

import io.netty.util.ReferenceCounted;
import io.sluice.message.RecordView;

/**
 * One decoded (uncompressed) batch in memory with the positions of its records. Reference counted: the buffer behind it lives
 * until the last release. Reading is safe on any thread while retained.
 */
public interface BatchView extends ReferenceCounted {
    long baseOffset();

    long lastOffset();

    int recordCount();

    /**
     * Wraps the record with this offset.
     *
     * @return false if the batch has no such record (compacted away or a control record)
     */
    boolean record(long offset, RecordView into);

    /** Wraps the {@code index}-th record of the batch, 0-based. */
    void recordAt(int index, RecordView into);

    @Override
    BatchView retain();
}
