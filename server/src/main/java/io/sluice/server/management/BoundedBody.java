package io.sluice.server.management;

import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;

/** Gathers a request body up to a bound; above it the answer is 413 in the API's own form and the connection ends. */
final class BoundedBody extends HttpObjectAggregator {
    private final int maxBytes;

    BoundedBody(int maxBytes) {
        super(maxBytes, true);
        this.maxBytes = maxBytes;
    }

    @Override
    protected void handleOversizedMessage(ChannelHandlerContext context, HttpMessage oversized) {
        Reply reply = Reply.problem(
                HttpResponseStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                "A request body may have at most " + maxBytes + " bytes.");
        context.writeAndFlush(HttpHandler.response(reply, false, false)).addListener(ChannelFutureListener.CLOSE);
    }
}
