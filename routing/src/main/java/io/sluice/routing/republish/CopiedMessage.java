package io.sluice.routing.republish;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.shard.PublishBatch;

/** The copy of a record on its way to direct subscribers, with bytes of its own. */
final class CopiedMessage extends RepublishedMessage {
    private final ByteBuf record;
    private final long timestamp;

    private CopiedMessage(String topic, ByteBuf record, long timestamp) {
        super(topic);
        this.record = record;
        this.timestamp = timestamp;
    }

    /** The only message of a batch that was not handed over yet. */
    static CopiedMessage of(PublishBatch batch, String topic) {
        ByteBuf fields = batch.buffer();
        int headers = batch.headerStart(0);
        ByteBuf record = PooledByteBufAllocator.DEFAULT.buffer(batch.end(0) - batch.start(0) + 5);
        record.writeBytes(fields, batch.start(0), headers - batch.start(0));
        RecordFields.writeVarint(record, batch.headerCount(0));
        record.writeBytes(fields, headers, batch.end(0) - headers);
        return new CopiedMessage(topic, record, batch.timestamp(0));
    }

    @Override
    public void record(RecordView into) {
        into.wrap(record, 0, -1, timestamp);
    }

    @Override
    protected void deallocate() {
        record.release();
    }
}
