package io.sluice.routing.republish;

import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import io.sluice.routing.DirectMessage;

/** A stored record on its way to direct subscribers. */
final class StoredMessage extends AbstractReferenceCounted implements DirectMessage {
    private final String topic;
    private final BatchView batch;
    private final long offset;

    /** Retains {@code batch} until the last release. */
    StoredMessage(String topic, BatchView batch, long offset) {
        this.topic = topic;
        this.batch = batch.retain();
        this.offset = offset;
    }

    @Override
    public String topic() {
        return topic;
    }

    @Override
    public int qos() {
        return 1;
    }

    @Override
    public String publisherId() {
        return "";
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

    @Override
    public ReferenceCounted touch(Object hint) {
        return this;
    }
}
