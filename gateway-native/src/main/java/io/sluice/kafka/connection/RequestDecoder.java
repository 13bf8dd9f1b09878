package io.sluice.kafka.connection;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
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
 * it. Confined to the channel's event loop.
 */
final class RequestDecoder extends ChannelInboundHandlerAdapter {
    /** Key, version and correlation id. */
    private static final int MIN_REQUEST_BYTES = 8;

    private static final int PREFIX_BYTES = 8;
    private static final int FIRST_CHUNK_BYTES = 8 << 10;
    private static final int CHUNK_BYTES = 1 << 20;

    private final Apis apis;
    private final int maxRequestBytes;

    private final byte[] prefix = new byte[PREFIX_BYTES];
    private int prefixLength;
    private @Nullable ByteBuf partial;
    private int size;
    private boolean trusted;
    private boolean failed;

    RequestDecoder(Apis apis, int maxRequestBytes) {
        this.apis = apis;
        this.maxRequestBytes = maxRequestBytes;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        ByteBuf in = (ByteBuf) message;
        try {
            while (!failed && in.isReadable()) {
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
            in.release();
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
                return null;
            }
            size = (prefix[0] & 0xFF) << 24 | (prefix[1] & 0xFF) << 16 | (prefix[2] & 0xFF) << 8 | (prefix[3] & 0xFF);
            check(size, (short) (prefix[4] << 8 | (prefix[5] & 0xFF)), (short) (prefix[6] << 8 | (prefix[7] & 0xFF)));
            building = context.alloc().directBuffer(Math.min(size, trusted ? CHUNK_BYTES : FIRST_CHUNK_BYTES), size);
            building.writeBytes(prefix, Integer.BYTES, PREFIX_BYTES - Integer.BYTES);
            partial = building;
            prefixLength = 0;
        }
        building.writeBytes(in, Math.min(size - building.writerIndex(), in.readableBytes()));
        if (building.writerIndex() < size) {
            return null;
        }
        partial = null;
        return building;
    }

    private void check(int length, short apiKey, short version) {
        if (length < MIN_REQUEST_BYTES || length > maxRequestBytes) {
            throw new MalformedRequestException(
                    "request of " + length + " bytes is outside " + MIN_REQUEST_BYTES + ".." + maxRequestBytes);
        }
        if (!apis.accepts(apiKey, version)) {
            throw new MalformedRequestException("api key " + apiKey + " version " + version + " is not served");
        }
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        ByteBuf building = partial;
        if (building != null) {
            partial = null;
            building.release();
        }
    }
}
