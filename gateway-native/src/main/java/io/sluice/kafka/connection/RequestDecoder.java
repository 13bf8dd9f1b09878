package io.sluice.kafka.connection;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Cuts the stream into requests (Kafka protocol guide, "Protocol primitives: size-delimited").
 *
 * <pre>
 * size int32 | api key int16 | api version int16 | correlation id int32 | ...
 * </pre>
 *
 * Size, key and version are checked before memory is set aside for the rest, and memory grows with what has arrived: a peer
 * that announces much and sends little holds little. A request that lies whole within one read is handed on as a slice of
 * it. While the connection is {@linkplain #pause paused}, what was read already is kept and no request is handed on, so one
 * read never brings more requests than the connection takes. Confined to the channel's event loop.
 */
final class RequestDecoder extends ChannelInboundHandlerAdapter {
    /** Key, version and correlation id. */
    private static final int MIN_REQUEST_BYTES = 8;

    private static final int PREFIX_BYTES = 8;
    private static final int FIRST_CHUNK_BYTES = 8 << 10;
    private static final int CHUNK_BYTES = 1 << 20;

    /** Requests up to this size are not counted against the budget: about what one read holds. */
    private static final int FREE_BYTES = 64 << 10;

    private final Apis apis;
    private final int maxRequestBytes;
    private final RequestMemory memory;

    private final byte[] prefix = new byte[PREFIX_BYTES];
    private final ArrayDeque<ByteBuf> held = new ArrayDeque<>(0);
    private int prefixLength;
    private @Nullable ByteBuf partial;
    private int size;
    private int taken;
    private boolean trusted;
    private boolean failed;
    private boolean paused;
    private boolean decoding;
    private boolean starved;
    private Runnable starvation = () -> {};

    RequestDecoder(Apis apis, int maxRequestBytes, RequestMemory memory) {
        this.apis = apis;
        this.maxRequestBytes = maxRequestBytes;
        this.memory = memory;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        ByteBuf in = (ByteBuf) message;
        if (held.isEmpty() && !blocked()) {
            decode(context, in);
        }
        if (in.isReadable() && !failed) {
            held.add(in);
        } else {
            in.release();
        }
    }

    /** Stops or resumes handing on requests. */
    void pause(boolean pause, ChannelHandlerContext context) {
        paused = pause;
        if (!pause && !held.isEmpty() && !decoding) {
            context.executor().execute(() -> drain(context.pipeline().context(this)));
        }
    }

    /** Tells {@code listener} whenever {@link #isStarved} changes. */
    void onStarvation(Runnable listener) {
        starvation = listener;
    }

    /** True while a large request waits for memory: reading further would only pile up input. */
    boolean isStarved() {
        return starved;
    }

    /** True while a request has begun and not yet arrived whole. */
    boolean isWithinRequest() {
        return !starved && (partial != null || prefixLength > 0);
    }

    private boolean blocked() {
        return paused || starved || failed;
    }

    private void drain(@Nullable ChannelHandlerContext context) {
        if (context == null) {
            return;
        }
        boolean any = false;
        ByteBuf next = held.peek();
        while (next != null && !blocked()) {
            decode(context, next);
            any = true;
            if (!next.isReadable() || failed) {
                held.poll();
                next.release();
            }
            next = held.peek();
        }
        if (any) {
            context.fireChannelReadComplete();
        }
    }

    private void decode(ChannelHandlerContext context, ByteBuf in) {
        decoding = true;
        try {
            while (!blocked() && in.isReadable()) {
                ByteBuf frame = partial == null && prefixLength == 0 ? whole(in) : null;
                if (frame == null) {
                    frame = part(context, in);
                }
                if (frame != null) {
                    trusted = true;
                    context.fireChannelRead(frame);
                }
            }
        } catch (MalformedRequestException e) {
            failed = true;
            context.fireExceptionCaught(e);
        } finally {
            decoding = false;
        }
    }

    /** A request that is all there, as a slice; null if it is not. */
    private @Nullable ByteBuf whole(ByteBuf in) {
        int available = in.readableBytes();
        if (available < PREFIX_BYTES) {
            return null;
        }
        int at = in.readerIndex();
        int length = in.getInt(at);
        check(length, in.getShort(at + 4), in.getShort(at + 6));
        if (available - Integer.BYTES < length) {
            return null;
        }
        in.skipBytes(Integer.BYTES);
        return in.readRetainedSlice(length);
    }

    private @Nullable ByteBuf part(ChannelHandlerContext context, ByteBuf in) {
        ByteBuf building = partial;
        if (building == null) {
            int take = Math.min(PREFIX_BYTES - prefixLength, in.readableBytes());
            in.readBytes(prefix, prefixLength, take);
            prefixLength += take;
            if (prefixLength < PREFIX_BYTES) {
                if (prefixLength >= Integer.BYTES) {
                    checkLength(ByteBuffer.wrap(prefix).getInt());
                }
                return null;
            }
            building = begin(context);
            if (building == null) {
                return null;
            }
        }
        int bytes = Math.min(size - building.writerIndex(), in.readableBytes());
        if (!take(building.writerIndex() + bytes, context)) {
            return null;
        }
        building.writeBytes(in, bytes);
        if (building.writerIndex() < size) {
            return null;
        }
        partial = null;
        giveBack();
        return building;
    }

    /** Sets memory aside for a request whose prefix is there; null if there is none now. */
    private @Nullable ByteBuf begin(ChannelHandlerContext context) {
        size = (prefix[0] & 0xFF) << 24 | (prefix[1] & 0xFF) << 16 | (prefix[2] & 0xFF) << 8 | (prefix[3] & 0xFF);
        check(size, (short) (prefix[4] << 8 | (prefix[5] & 0xFF)), (short) (prefix[6] << 8 | (prefix[7] & 0xFF)));
        int first = Math.min(size, trusted ? CHUNK_BYTES : FIRST_CHUNK_BYTES);
        if (!take(first, context)) {
            return null;
        }
        ByteBuf building = context.alloc().directBuffer(first, size);
        building.writeBytes(prefix, Integer.BYTES, PREFIX_BYTES - Integer.BYTES);
        partial = building;
        prefixLength = 0;
        return building;
    }

    /** Counts the request with so many bytes against the budget; if there is no room, waits for it and answers false. */
    private boolean take(int bytes, ChannelHandlerContext context) {
        if (size <= FREE_BYTES || bytes <= taken) {
            return true;
        }
        if (memory.take(this, bytes - taken)) {
            taken = bytes;
            return true;
        }
        starved = true;
        starvation.run();
        memory.await(context.executor(), () -> retry(context));
        return false;
    }

    private void retry(ChannelHandlerContext context) {
        if (!context.isRemoved()) {
            starved = false;
            starvation.run();
            drain(context);
        }
    }

    private void giveBack() {
        if (taken > 0) {
            int bytes = taken;
            taken = 0;
            memory.give(this, bytes);
        }
    }

    private void checkLength(int length) {
        if (length < MIN_REQUEST_BYTES || length > maxRequestBytes) {
            throw new MalformedRequestException(
                    "request of " + length + " bytes is outside " + MIN_REQUEST_BYTES + ".." + maxRequestBytes);
        }
    }

    private void check(int length, short apiKey, short version) {
        checkLength(length);
        if (!apis.accepts(apiKey, version)) {
            throw new MalformedRequestException("api key " + apiKey + " version " + version + " is not served");
        }
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        failed = true;
        ByteBuf building = partial;
        if (building != null) {
            partial = null;
            building.release();
        }
        giveBack();
        held.forEach(ByteBuf::release);
        held.clear();
    }
}
