package io.sluice.amqp091.session;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.socket.DuplexChannel;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Method;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Frames of one connection gathered until the end of the loop's turn and written with one flush. Confined to the loop. */
public final class Output {
    /** Gathered bytes above which they are written at once. */
    private static final int HIGH_WATER = 256 * 1024;

    private static final int SMALLEST = 1024;

    private final ChannelHandlerContext ctx;
    private final Runnable flushTask = this::flushScheduled;
    private @Nullable ByteBuf buffer;
    private int sizeHint = SMALLEST;
    private boolean scheduled;
    private boolean unflushed;
    private boolean written;

    public Output(ChannelHandlerContext ctx) {
        this.ctx = ctx;
    }

    /** Where frames are written; call {@link #wrote} after. */
    public ByteBuf buffer() {
        ByteBuf current = buffer;
        if (current == null) {
            current = ctx.alloc().buffer(sizeHint);
            buffer = current;
        }
        return current;
    }

    public void method(int channel, Method method) {
        FrameWriter.method(buffer(), channel, method);
        wrote();
    }

    /** Something is in the buffer: it leaves at the end of this turn. */
    public void wrote() {
        spill();
        if (!scheduled) {
            scheduled = true;
            ctx.executor().execute(flushTask);
        }
    }

    /** Hands over to the socket what has gathered, if it is much, so that {@link #isWritable} knows of it. */
    public void spill() {
        if (buffer != null && buffer.readableBytes() > HIGH_WATER) {
            ctx.write(take());
        }
    }

    private void flushScheduled() {
        scheduled = false;
        flush();
    }

    public void flush() {
        if (buffer != null) {
            ctx.writeAndFlush(take());
            unflushed = false;
        } else if (unflushed) {
            unflushed = false;
            ctx.flush();
        }
    }

    /**
     * Flushes, says that no more comes and closes the socket when the peer does, or after {@code seconds}. Closing at once would
     * throw away the last frame where the peer still has something under way (RFC 1122, section 4.2.2.13).
     */
    public void flushAndLinger(int seconds) {
        ctx.writeAndFlush(take()).addListener(done -> {
            if (done.isSuccess() && ctx.channel() instanceof DuplexChannel duplex) {
                duplex.shutdownOutput();
                ctx.executor().schedule(() -> ctx.close(), seconds, TimeUnit.SECONDS);
            } else {
                ctx.close();
            }
        });
    }

    /** True if something was written since the last call. */
    public boolean takeWritten() {
        boolean was = written;
        written = false;
        return was;
    }

    /** Bytes that wait for the socket to take them. */
    public long waiting() {
        ChannelOutboundBuffer waiting = ctx.channel().unsafe().outboundBuffer();
        return waiting == null ? 0 : waiting.totalPendingWriteBytes();
    }

    public boolean isWritable() {
        return ctx.channel().isWritable();
    }

    public void release() {
        if (buffer != null) {
            buffer.release();
            buffer = null;
        }
    }

    private ByteBuf take() {
        ByteBuf full = buffer();
        buffer = null;
        written = true;
        unflushed = true;
        // the next one is likely to be of this size: no growing, no waste
        sizeHint = Math.max(SMALLEST, Math.min(HIGH_WATER, (sizeHint + full.readableBytes()) / 2));
        return full;
    }
}
