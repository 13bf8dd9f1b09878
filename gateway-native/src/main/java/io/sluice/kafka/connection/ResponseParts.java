package io.sluice.kafka.connection;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.ReferenceCountUtil;
import io.sluice.log.LogSlice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.network.Send;
import org.apache.kafka.common.network.TransferableChannel;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.FetchResponse;
import org.jspecify.annotations.Nullable;

/**
 * Collects what Kafka's codec sends into what Netty writes: small pieces are gathered in one pooled buffer, slices become
 * file regions. Confined to the channel's event loop; used for one response.
 */
final class ResponseParts implements TransferableChannel {
    private final ByteBufAllocator allocator;
    private final boolean fileRegions;
    private final List<Object> parts = new ArrayList<>(4);
    private @Nullable ByteBuf open;

    /**
     * Makes an empty collection.
     *
     * @param fileRegions false if bytes must pass through user space (TLS)
     */
    private ResponseParts(ByteBufAllocator allocator, boolean fileRegions) {
        this.allocator = allocator;
        this.fileRegions = fileRegions;
    }

    /** Takes all of {@code send}; the parts in order, each owned by the caller. Nothing is kept if it fails. */
    static List<Object> of(Send send, ByteBufAllocator allocator, boolean fileRegions) throws IOException {
        ResponseParts collected = new ResponseParts(allocator, fileRegions);
        boolean whole = false;
        try {
            while (!send.completed()) {
                send.writeTo(collected);
            }
            whole = true;
        } finally {
            collected.seal();
            if (!whole) {
                collected.parts.forEach(ReferenceCountUtil::release);
            }
        }
        return collected.parts;
    }

    /** Lets go of the slices of a response that will not be sent. */
    static void drop(AbstractResponse response) {
        if (response instanceof FetchResponse fetch) {
            for (var topic : fetch.data().responses()) {
                for (var partition : topic.partitions()) {
                    if (partition.records() instanceof SliceRecords records) {
                        records.drop();
                    }
                }
            }
        }
    }

    /** Takes over one reference of {@code slice}. */
    void add(LogSlice slice) throws IOException {
        FileChannel channel = slice.channel();
        if (fileRegions && channel != null) {
            seal();
            parts.add(new SliceRegion(channel, slice));
            return;
        }
        int size = slice.sizeInBytes();
        try {
            ByteBuf out = buffer(size);
            int at = out.writerIndex();
            slice.readFully(0, out.nioBuffer(at, size));
            out.writerIndex(at + size);
        } finally {
            slice.release();
        }
    }

    private ByteBuf buffer(int bytes) {
        ByteBuf buffer = open;
        if (buffer == null) {
            buffer = allocator.directBuffer(Math.max(256, bytes));
            open = buffer;
        }
        return buffer.ensureWritable(bytes);
    }

    private void seal() {
        ByteBuf buffer = open;
        if (buffer != null) {
            parts.add(buffer);
            open = null;
        }
    }

    @Override
    public int write(ByteBuffer source) {
        int bytes = source.remaining();
        buffer(bytes).writeBytes(source);
        return bytes;
    }

    @Override
    public long write(ByteBuffer[] sources, int offset, int length) {
        long bytes = 0;
        for (int i = offset; i < offset + length; i++) {
            bytes += write(sources[i]);
        }
        return bytes;
    }

    @Override
    public long write(ByteBuffer[] sources) {
        return write(sources, 0, sources.length);
    }

    @Override
    public boolean hasPendingWrites() {
        return false;
    }

    @Override
    public long transferFrom(FileChannel file, long position, long count) {
        throw new UnsupportedOperationException("file records are sent as slices");
    }

    @Override
    public boolean isOpen() {
        return true;
    }

    @Override
    public void close() {
        // nothing is held open: the parts belong to the caller
    }
}
