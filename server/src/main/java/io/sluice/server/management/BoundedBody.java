package io.sluice.server.management;

import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.util.List;

/**
 * Gathers a request body up to a bound, which is higher for definitions of a whole broker; above it the answer is 413 in the API's own
 * form and the connection ends.
 */
final class BoundedBody extends HttpObjectAggregator {
    /** Below this path bodies are large. */
    private static final String DEFINITIONS = "/api/definitions";

    private final int maxBytes;
    private final int maxDefinitionsBytes;
    private final RequestWatch watch;
    private final Complaints complaints;
    private int bound;
    private long received;
    private boolean refused;

    BoundedBody(int maxBytes, int maxDefinitionsBytes, RequestWatch watch, Complaints complaints) {
        super(Math.max(maxBytes, maxDefinitionsBytes), true);
        this.maxBytes = maxBytes;
        this.maxDefinitionsBytes = maxDefinitionsBytes;
        this.watch = watch;
        this.complaints = complaints;
    }

    @Override
    protected void decode(ChannelHandlerContext context, HttpObject part, List<Object> out) throws Exception {
        if (refused) {
            return; // the connection ends
        }
        if (part instanceof HttpRequest request) {
            bound = request.uri().startsWith(DEFINITIONS) ? maxDefinitionsBytes : maxBytes;
            received = 0;
        }
        if (part instanceof HttpContent content) {
            received += content.content().readableBytes();
            if (received > bound) {
                refuse(context);
                return;
            }
        }
        super.decode(context, part, out);
    }

    @Override
    protected boolean isContentLengthInvalid(HttpMessage start, int most) {
        return super.isContentLengthInvalid(start, bound);
    }

    @Override
    protected Object newContinueResponse(HttpMessage start, int most, ChannelPipeline pipeline) {
        return super.newContinueResponse(start, bound, pipeline);
    }

    @Override
    protected void handleOversizedMessage(ChannelHandlerContext context, HttpMessage oversized) {
        refuse(context);
    }

    private void refuse(ChannelHandlerContext context) {
        refused = true;
        watch.done();
        complaints.about(
                context.channel().remoteAddress(),
                "request refused with 413: its body has more than " + bound + " bytes");
        Reply reply = Reply.problem(
                HttpResponseStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                "A request body may have at most " + bound + " bytes.");
        context.writeAndFlush(HttpHandler.response(reply, false, false)).addListener(ChannelFutureListener.CLOSE);
    }
}
