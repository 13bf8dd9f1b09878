package io.sluice.server.management;

import io.netty.buffer.ByteBuf;
import java.util.concurrent.CompletionStage;

/** Answers the requests of one path and method. Called on an event loop; never blocks it. */
@FunctionalInterface
public interface Endpoint {
    /**
     * Answers a request.
     *
     * @param body request body, at most {@link ManagementServer#MAX_BODY_BYTES}; valid during the call only
     * @return completes on any thread; a failure becomes 500
     */
    CompletionStage<Reply> answer(ByteBuf body);
}
