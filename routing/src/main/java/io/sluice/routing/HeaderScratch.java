package io.sluice.routing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;

/**
 * A record that has nothing but headers, for routing a message whose way depends on them before it is encoded. Reusable; confined
 * to one thread. Use: {@link #begin}, write headers and count them, {@link #end}.
 */
public final class HeaderScratch {
    /** Room for key length, value length and number of headers before the headers. */
    private static final int ROOM = 7;

    /** Buffers larger than this are not kept, bytes. */
    private static final int KEPT = 64 * 1024;

    private final RecordView view = new RecordView();
    private ByteBuf buffer = Unpooled.EMPTY_BUFFER;

    /** Where headers are written. */
    public ByteBuf begin() {
        if (buffer.capacity() == 0 || buffer.capacity() > KEPT) {
            buffer = Unpooled.buffer(512);
        }
        buffer.clear().writeZero(ROOM);
        return buffer;
    }

    /** The record with what was written, valid until the next {@link #begin}. */
    public RecordView end(int headers) {
        int end = buffer.writerIndex();
        int size = RecordFields.sizeOfVarint(headers);
        int start = ROOM - size - 2;
        buffer.writerIndex(start);
        RecordFields.writeVarint(buffer, -1);
        RecordFields.writeVarint(buffer, -1);
        RecordFields.writeVarint(buffer, headers);
        buffer.writerIndex(end);
        return view.wrap(buffer, start, 0, 0);
    }
}
