package io.sluice.routing.republish;

import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;

/** A stored record on its way to direct subscribers. */
final class StoredMessage extends RepublishedMessage {
    private final BatchView batch;
    private final long offset;

    /** Retains {@code batch} until the last release. */
    StoredMessage(String topic, BatchView batch, long offset) {
        super(topic);
        this.batch = batch.retain();
        this.offset = offset;
    }

    @Override
    public void record(RecordView into) {
        if (!batch.record(offset, into)) {
            throw new IllegalStateException("no record at offset " + offset);
        }
    }

    @Override
    protected void deallocate() {
        batch.release();
    }
}
