package io.sluice.amqp091.codec;

import static io.sluice.amqp091.codec.Protocol.FRAME_END;
import static io.sluice.amqp091.codec.Protocol.FRAME_HEADER_BYTES;
import static io.sluice.amqp091.codec.Protocol.FRAME_OVERHEAD;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;

/**
 * Cuts the byte stream into frames (AMQP 0-9-1, section 2.3.5):
 *
 * <pre>
 * 0      1         3         7                 size+7 size+8
 * +------+---------+---------+ +-------------+ +-----------+
 * | type | channel |  size   | |   payload   | | frame-end |
 * +------+---------+---------+ +-------------+ +-----------+
 *  octet    short     long       size octets       0xCE
 * </pre>
 *
 * <p>The size is checked before anything is waited for, so what is kept between reads is at most one frame with a
 * payload of {@link #maxFrameSize}. While suspended, bytes stay here unread. Confined to the event loop.
 */
public final class FrameDecoder extends ChannelInboundHandlerAdapter {
    private final FrameHandler handler;
    private int maxFrameSize;
    private @Nullable ByteBuf pending;
    private boolean suspended;
    private boolean broken;

    public FrameDecoder(FrameHandler handler, int maxFrameSize) {
        this.handler = handler;
        this.maxFrameSize = maxFrameSize;
    }

    /** Largest frame accepted from now on, bytes with its overhead. */
    public void maxFrameSize(int bytes) {
        this.maxFrameSize = bytes;
    }

    /** Stops before the next frame until {@link #resume}. */
    public void suspend() {
        suspended = true;
    }

    public boolean isSuspended() {
        return suspended;
    }

    /** Goes on with what was kept. Not to be called from within {@link FrameHandler#frame}. */
    public void resume() {
        suspended = false;
        decode();
        handler.endOfRead();
    }

    /** Ignores all further input. */
    public void stop() {
        broken = true;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (!(message instanceof ByteBuf bytes)) {
            ctx.fireChannelRead(message);
            return;
        }
        if (broken) {
            bytes.release();
            return;
        }
        ByteBuf before = pending;
        pending = before == null ? bytes : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), before, bytes);
        decode();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        handler.endOfRead();
        ctx.fireChannelReadComplete();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        release();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        broken = true;
        release();
        ctx.fireChannelInactive();
    }

    private void release() {
        ReferenceCountUtil.release(pending);
        pending = null;
    }

    @SuppressWarnings("ReferenceEquality") // asks whether the buffer was given up meanwhile
    private void decode() {
        ByteBuf in = pending;
        if (in == null) {
            return;
        }
        try {
            while (!suspended && !broken && next(in)) {
                // each turn takes one frame
            }
        } catch (AmqpException e) {
            broken = true;
            handler.malformed(e);
        }
        if (pending != in) {
            return; // closed meanwhile
        }
        if (broken || !in.isReadable()) {
            release();
        } else if (in.refCnt() == 1 && in.readerIndex() > in.capacity() / 2) {
            in.discardSomeReadBytes();
        }
    }

    private boolean next(ByteBuf in) {
        if (in.readableBytes() < FRAME_HEADER_BYTES) {
            return false;
        }
        int start = in.readerIndex();
        int type = in.getByte(start);
        int channel = in.getUnsignedShort(start + 1);
        long size = in.getUnsignedInt(start + 3);
        if (type != Protocol.FRAME_METHOD
                && type != Protocol.FRAME_HEADER
                && type != Protocol.FRAME_BODY
                && type != Protocol.FRAME_HEARTBEAT) {
            throw new AmqpException(ReplyCode.FRAME_ERROR, "unknown frame type " + (type & 0xFF));
        }
        if (size > maxFrameSize) { // some clients forget the overhead: RabbitMQ lets them
            throw new AmqpException(
                    ReplyCode.FRAME_ERROR, "frame of " + size + " bytes exceeds frame-max " + maxFrameSize);
        }
        int length = (int) size;
        if (in.readableBytes() < length + FRAME_OVERHEAD) {
            return false;
        }
        int payload = start + FRAME_HEADER_BYTES;
        int end = payload + length;
        if (in.getUnsignedByte(end) != FRAME_END) {
            throw new AmqpException(
                    ReplyCode.FRAME_ERROR,
                    "frame ends with 0x" + Integer.toHexString(in.getUnsignedByte(end)) + " instead of 0xce");
        }
        int limit = in.writerIndex();
        in.readerIndex(payload);
        in.writerIndex(end); // readers of the payload cannot run into the next frame
        try {
            handler.frame(type, channel, in);
        } finally {
            if (in.refCnt() > 0) {
                in.writerIndex(limit);
                in.readerIndex(end + 1);
            }
        }
        return true;
    }
}
