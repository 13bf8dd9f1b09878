package io.sluice.amqp091.connection;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Method;
import org.jspecify.annotations.Nullable;

/** Frames of one connection gathered until the end of the loop's turn and written with one flush. Confined to the loop. */
final class Output {
    /** Gathered bytes above which they are written at once. */
    private static final int HIGH_WATER = 256 * 1024;

    private final ChannelHandlerContext ctx;
    private final Runnable flushTask = this::flushScheduled;
    private @Nullable ByteBuf buffer;
    private boolean scheduled;
    private boolean written;

    Output(ChannelHandlerContext ctx) {
        this.ctx = ctx;
    }

    /** Where frames are written; call {@link #wrote} after. */
    ByteBuf buffer() {
        ByteBuf current = buffer;
        if (current == null) {
            current = ctx.alloc().buffer(4096);
            buffer = current;
        }
        return current;
    }

    void method(int channel, Method method) {
        FrameWriter.method(buffer(), channel, method);
        wrote();
    }

    /** Something is in the buffer: it leaves at the end of this turn. */
    void wrote() {
        if (buffer != null && buffer.readableBytes() > HIGH_WATER) {
            ctx.write(take());
        }
        if (!scheduled) {
            scheduled = true;
            ctx.executor().execute(flushTask);
        }
    }

    private void flushScheduled() {
        scheduled = false;
        flush();
    }

    void flush() {
        written = true;
        if (buffer != null) {
            ctx.writeAndFlush(take());
        } else {
            ctx.flush();
        }
    }

    /** Flushes and then closes the socket. */
    void flushAndClose() {
        ChannelFuture last = ctx.writeAndFlush(take());
        last.addListener(done -> ctx.close());
    }

    /** True if something was written since the last call. */
    boolean takeWritten() {
        boolean was = written;
        written = false;
        return was;
    }

    boolean isWritable() {
        return ctx.channel().isWritable();
    }

    void release() {
        if (buffer != null) {
            buffer.release();
            buffer = null;
        }
    }

    private ByteBuf take() {
        ByteBuf full = buffer();
        buffer = null;
        return full;
    }
}
