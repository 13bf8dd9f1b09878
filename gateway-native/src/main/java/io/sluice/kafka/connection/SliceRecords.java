package io.sluice.kafka.connection;

import io.sluice.log.LogSlice;
import java.io.IOException;
import org.apache.kafka.common.network.TransferableChannel;
import org.apache.kafka.common.record.internal.BaseRecords;
import org.apache.kafka.common.record.internal.RecordsSend;

/** Batches of a partition as the records of a fetch response; go out from the segment's file without a copy in user space. */
public final class SliceRecords implements BaseRecords {
    private final LogSlice slice;
    private boolean taken;

    /** Takes over one reference of {@code slice}. */
    public SliceRecords(LogSlice slice) {
        this.slice = slice;
    }

    /** The slice, handed over to the caller. */
    private LogSlice take() {
        taken = true;
        return slice;
    }

    /** Lets go of the slice unless it is on its way out. */
    void drop() {
        if (!taken) {
            take().release();
        }
    }

    @Override
    public int sizeInBytes() {
        return slice.sizeInBytes();
    }

    @Override
    public RecordsSend<SliceRecords> toSend() {
        return new SliceSend(this);
    }

    private static final class SliceSend extends RecordsSend<SliceRecords> {
        SliceSend(SliceRecords records) {
            super(records, records.sizeInBytes());
        }

        @Override
        protected int writeTo(TransferableChannel channel, int written, int remaining) throws IOException {
            ((ResponseParts) channel).add(records().take());
            return remaining;
        }
    }
}
