package io.sluice.server.management;

import java.util.concurrent.CompletionStage;

/** Answers all requests below a path. Called on an event loop; never blocks it. */
@FunctionalInterface
public interface TreeEndpoint {
    /** Answers a request; completes on any thread, a failure becomes 500. */
    CompletionStage<Reply> answer(ApiRequest request);
}
