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

    /**
     * Encodes a PUBLISH (section 3.3).
     *
     * @param flags low bits of the first byte: DUP, QoS, RETAIN
     * @param packetId packet identifier, not written for QoS 0
     * @param properties encoded properties without their length, used for MQTT 5.0 only
     * @param expirySeconds remaining lifetime, -1 = none
     * @param identifiers subscription identifiers, possibly empty
     * @return false if the packet exceeds what the client takes; nothing is written then
     */
    public boolean publish(
            int flags,
            byte[] topic,
            int packetId,
            ByteBuf properties,
            long expirySeconds,
            int[] identifiers,
            ByteBuf payload,
            int payloadStart,
            int payloadLength) {
        boolean withId = (flags & 6) != 0;
        int propertyBytes = mqtt5 ? sizeOfProperties(properties, expirySeconds, identifiers) : 0;
        long remaining = 2L + topic.length + (withId ? 2 : 0) + payloadLength;
        remaining += mqtt5 ? PacketWriter.sizeOfVarint(propertyBytes) + propertyBytes : 0;
        if (remaining > PacketWriter.MAX_REMAINING
                || remaining + 1 + PacketWriter.sizeOfVarint((int) remaining) > maxPacketBytes) {
            return false;
        }
        boolean copy = payloadLength <= COPY_BYTES;
        ByteBuf b = reserve((int) remaining + 5 - (copy ? 0 : payloadLength));
        b.writeByte(0x30 | flags);
        PacketWriter.writeVarint(b, (int) remaining);
        b.writeShort(topic.length);
        b.writeBytes(topic);
        if (withId) {
            b.writeShort(packetId);
        }
        if (mqtt5) {
            writeProperties(b, propertyBytes, properties, expirySeconds, identifiers);
        }
        if (copy) {
            b.writeBytes(payload, payloadStart, payloadLength);
            if (b.readableBytes() >= HAND_OVER_BYTES) {
                handOver();
            }
        } else {
            handOver();
            ctx.write(payload.retainedSlice(payloadStart, payloadLength), ctx.voidPromise());
        }
        return true;
    }

    private static int sizeOfProperties(ByteBuf properties, long expirySeconds, int[] identifiers) {
        int size = properties.readableBytes() + (expirySeconds >= 0 ? 5 : 0);
        for (int identifier : identifiers) {
            size += 1 + PacketWriter.sizeOfVarint(identifier);
        }
        return size;
    }

    private static void writeProperties(
            ByteBuf b, int size, ByteBuf properties, long expirySeconds, int[] identifiers) {
        PacketWriter.writeVarint(b, size);
        b.writeBytes(properties, properties.readerIndex(), properties.readableBytes());
        if (expirySeconds >= 0) {
            b.writeByte(0x02);
            b.writeInt((int) expirySeconds);
        }
        for (int identifier : identifiers) {
            b.writeByte(0x0B);
            PacketWriter.writeVarint(b, identifier);
        }
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
            unflushed = true;
            ctx.write(b, ctx.voidPromise());
        }
    }

    /** Writes and flushes what was encoded since the last call; nothing happens if that is nothing. */
    public void flush() {
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
