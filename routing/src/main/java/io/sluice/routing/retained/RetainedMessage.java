package io.sluice.routing.retained;

import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import io.sluice.routing.DirectMessage;

/** A retained message as read from its stream. */
final class RetainedMessage extends AbstractReferenceCounted implements DirectMessage {
    private final String topic;
    private final int qos;
    private final BatchView batch;
    private final long offset;

    /** Takes over one reference of {@code batch}. */
    RetainedMessage(String topic, int qos, BatchView batch, long offset) {
        this.topic = topic;
        this.qos = qos;
        this.batch = batch;
        this.offset = offset;
    }

    @Override
    public String topic() {
        return topic;
    }

    @Override
    public int qos() {
        return qos;
    }

    @Override
    public String publisherId() {
        return "";
    }

    @Override
    public void record(RecordView into) {
        if (!batch.record(offset, into)) {
            throw new IllegalStateException("retained message of '" + topic + "' has no record at offset " + offset);
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
