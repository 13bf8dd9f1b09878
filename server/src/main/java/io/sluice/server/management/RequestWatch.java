package io.sluice.server.management;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * First in the pipeline: ends a connection whose request has not arrived whole within a time, however steadily it trickles, and says
 * when the peer went away in the middle of one. Confined to its event loop.
 */
final class RequestWatch extends ChannelInboundHandlerAdapter {
    private final Complaints complaints;
    private final int seconds;
    private @Nullable Future<?> deadline;

    RequestWatch(Complaints complaints, int seconds) {
        this.complaints = complaints;
        this.seconds = seconds;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (deadline == null) {
            deadline = context.executor().schedule(() -> late(context), seconds, TimeUnit.SECONDS);
        }
        context.fireChannelRead(message);
    }

    private void late(ChannelHandlerContext context) {
        if (deadline != null) {
            deadline = null;
            complaints.about(
                    context.channel().remoteAddress(),
                    "connection closed: the request did not arrive whole within " + seconds + " s");
            context.close();
        }
    }

    /** The request is there, or refused. */
    void done() {
        Future<?> timer = deadline;
        if (timer != null) {
            deadline = null;
            timer.cancel(false);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        if (deadline != null) {
            done();
            complaints.about(
                    context.channel().remoteAddress(), "the peer closed the connection in the middle of a request");
        }
        context.fireChannelInactive();
    }
}
