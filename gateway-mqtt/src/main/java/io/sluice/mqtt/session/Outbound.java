package io.sluice.mqtt.session;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoop;
import io.sluice.mqtt.codec.PacketWriter;
import org.jspecify.annotations.Nullable;

/**
 * The output side of one connection: packets of one pass are encoded into one buffer that {@link #flush} writes once; only
 * large payloads go out by reference. Confined to the connection's event loop.
 */
public final class Outbound {
    private static final int INITIAL_BYTES = 256;
    private static final int HAND_OVER_BYTES = 32 * 1024;
    private static final int COPY_BYTES = 8 * 1024;
    private static final int[] NO_IDENTIFIERS = {};

    private final ChannelHandlerContext ctx;
    private final boolean mqtt5;
    private final int maxPacketBytes;
    private @Nullable ByteBuf out;
    private boolean unflushed;
    private boolean flushQueued;

    /** @param maxPacketBytes largest packet that the client takes, bytes */
    public Outbound(ChannelHandlerContext ctx, boolean mqtt5, int maxPacketBytes) {
        this.ctx = ctx;
        this.mqtt5 = mqtt5;
        this.maxPacketBytes = maxPacketBytes;
    }

    public EventLoop loop() {
        return ctx.channel().eventLoop();
    }

    public Channel channel() {
        return ctx.channel();
    }

    public boolean mqtt5() {
        return mqtt5;
    }

    /** False while the peer does not take its data: hold messages back. */
    public boolean isWritable() {
        return ctx.channel().isWritable();
    }

    /** The output buffer with room for {@code bytes}. */
    public ByteBuf reserve(int bytes) {
        ByteBuf b = out;
        if (b == null) {
            b = ctx.alloc().buffer(Math.max(INITIAL_BYTES, bytes));
            out = b;
        }
        return b;
    }

    /** Largest packet that the client takes, bytes. */
    int maxPacketBytes() {
        return maxPacketBytes;
    }

    /**
     * Encodes a PUBLISH (section 3.3).
     *
     * @param flags low bits of the first byte: DUP, QoS, RETAIN
     * @param packetId packet identifier, not written for QoS 0
     * @param identifiers subscription identifiers, possibly empty; MQTT 5.0 only
     * @return false if the packet exceeds what the client takes; nothing is written then
     */
    boolean publish(PublishFields fields, int flags, int packetId, int[] identifiers) {
        int propertyBytes = fields.propertyBytes(mqtt5, identifiers);
        long length = fields.remaining(mqtt5, (flags & 6) != 0, propertyBytes);
        if (length > PacketWriter.MAX_REMAINING
                || length + 1 + PacketWriter.sizeOfVarint((int) length) > maxPacketBytes) {
            return false;
        }
        int remaining = (int) length;
        int payloadLength = fields.payloadLength();
        boolean copy = payloadLength <= COPY_BYTES;
        ByteBuf b = reserve(remaining + 5 - (copy ? 0 : payloadLength));
        fields.writeHead(b, flags, remaining, packetId, mqtt5, propertyBytes, identifiers);
        if (copy) {
            fields.writePayload(b);
            if (b.readableBytes() >= HAND_OVER_BYTES) {
                handOver();
            }
        } else {
            handOver();
            write(fields.payload().retainedSlice(fields.payloadStart(), payloadLength));
        }
        return true;
    }

    /**
     * Sends packets that many subscribers share: by reference if they are all that goes out, else behind what goes out.
     *
     * @param packets borrowed, its indexes are not moved
     */
    void shared(ByteBuf packets) {
        int length = packets.readableBytes();
        if (length > COPY_BYTES || (out == null && !unflushed)) {
            handOver();
            write(packets.retainedDuplicate());
        } else {
            reserve(length).writeBytes(packets, packets.readerIndex(), length);
        }
    }

    /** Sends QoS 1 packets that many subscribers share, with packet identifiers of this one. */
    void copied(EncodedRun run, InFlight inFlight) {
        ByteBuf packets = run.packets();
        int length = packets.readableBytes();
        ByteBuf b = reserve(length);
        int start = b.writerIndex();
        b.writeBytes(packets, packets.readerIndex(), length);
        for (int i = 0; i < run.size(); i++) {
            b.setShort(start + run.packetIdAt(i), inFlight.add(InFlight.DIRECT, -1, null));
        }
        if (b.readableBytes() >= HAND_OVER_BYTES) {
            handOver();
        }
    }

    private void write(ByteBuf packets) {
        unflushed = true;
        ctx.write(packets, ctx.voidPromise());
    }

    /** No subscription identifiers. */
    public static int[] noIdentifiers() {
        return NO_IDENTIFIERS;
    }

    /** Gives what was encoded to the channel without flushing, so that it counts for {@link #isWritable}. */
    public void handOver() {
        ByteBuf b = out;
        if (b != null) {
            out = null;
            write(b);
        }
    }

    /** Flushes when the tasks of this pass have run; at most one flush comes of all calls. */
    void flushLater() {
        if (!flushQueued && (unflushed || out != null)) {
            flushQueued = true;
            LoopFlush.ofLoop().add(this, loop());
        }
    }

    /** Writes and flushes what was encoded since the last call; nothing happens if that is nothing. */
    public void flush() {
        flushQueued = false;
        handOver();
        if (unflushed) {
            unflushed = false;
            ctx.flush();
        }
    }

    /** Frees what was not written; the connection is gone. */
    public void close() {
        ByteBuf b = out;
        if (b != null) {
            out = null;
            b.release();
        }
    }
}
