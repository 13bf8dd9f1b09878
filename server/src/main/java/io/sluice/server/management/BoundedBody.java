package io.sluice.server.management;

import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;

/** Gathers a request body up to a bound; above it the answer is 413 in the API's own form and the connection ends. */
final class BoundedBody extends HttpObjectAggregator {
    private final int maxBytes;
    private final RequestWatch watch;
    private final Complaints complaints;

    BoundedBody(int maxBytes, RequestWatch watch, Complaints complaints) {
        super(maxBytes, true);
        this.maxBytes = maxBytes;
        this.watch = watch;
        this.complaints = complaints;
    }

    @Override
    protected void handleOversizedMessage(ChannelHandlerContext context, HttpMessage oversized) {
        watch.done();
        complaints.about(
                context.channel().remoteAddress(),
                "request refused with 413: its body has more than " + maxBytes + " bytes");
        Reply reply = Reply.problem(
                HttpResponseStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                "A request body may have at most " + maxBytes + " bytes.");
        context.writeAndFlush(HttpHandler.response(reply, false, false)).addListener(ChannelFutureListener.CLOSE);
    }
}
