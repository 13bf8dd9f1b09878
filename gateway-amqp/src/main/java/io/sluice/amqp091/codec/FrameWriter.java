package io.sluice.amqp091.codec;

import static io.sluice.amqp091.codec.Protocol.FRAME_END;
import static io.sluice.amqp091.codec.Protocol.FRAME_OVERHEAD;

import io.netty.buffer.ByteBuf;
import java.util.function.Consumer;

/** Writes frames into a buffer; lengths are filled in afterwards, so that nothing is measured twice. Stateless. */
public final class FrameWriter {
    private FrameWriter() {}

    /** Starts a frame; pass the answer to {@link #end}. */
    public static int begin(ByteBuf out, int type, int channel) {
        int start = out.writerIndex();
        out.writeByte(type);
        out.writeShort(channel);
        out.writeInt(0);
        return start;
    }

    /** Ends the frame that {@link #begin} started at {@code start}. */
    public static void end(ByteBuf out, int start) {
        out.setInt(start + 3, out.writerIndex() - start - Protocol.FRAME_HEADER_BYTES);
        out.writeByte(FRAME_END);
    }

    /** Writes a method frame. */
    public static void method(ByteBuf out, int channel, Method method) {
        int start = begin(out, Protocol.FRAME_METHOD, channel);
        out.writeInt(method.id());
        method.encode(out);
        end(out, start);
    }

    /** {@code basic.ack} or {@code basic.nack} of the broker to a publisher. */
    public static void confirm(ByteBuf out, int channel, boolean ack, long tag, boolean multiple) {
        int start = begin(out, Protocol.FRAME_METHOD, channel);
        out.writeInt(ack ? Protocol.BASIC_ACK : Protocol.BASIC_NACK);
        out.writeLong(tag);
        out.writeBoolean(multiple);
        end(out, start);
    }

    public static void heartbeat(ByteBuf out) {
        end(out, begin(out, Protocol.FRAME_HEARTBEAT, 0));
    }

    /**
     * Writes content header and body frames.
     *
     * @param properties writes property flags and values
     */
    public static void content(
            ByteBuf out,
            int channel,
            Consumer<ByteBuf> properties,
            ByteBuf body,
            int bodyStart,
            int bodyLength,
            int frameMax) {
        int start = begin(out, Protocol.FRAME_HEADER, channel);
        out.writeShort(Protocol.CLASS_BASIC);
        out.writeShort(0);
        out.writeLong(bodyLength);
        properties.accept(out);
        end(out, start);
        int largest = frameMax - FRAME_OVERHEAD;
        int at = 0;
        while (at < bodyLength) {
            int length = Math.min(largest, bodyLength - at);
            out.ensureWritable(length + FRAME_OVERHEAD);
            int frame = begin(out, Protocol.FRAME_BODY, channel);
            out.writeBytes(body, bodyStart + at, length);
            end(out, frame);
            at += length;
        }
    }
}
