package io.sluice.server.management.rabbit;

import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;

/** Refuses methods that a path does not answer. */
final class Methods {
    private Methods() {}

    static void allow(Api api, HttpMethod method) {
        if (!api.is(method)) {
            throw notAllowed();
        }
    }

    static ApiException notAllowed() {
        return new ApiException(
                HttpResponseStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not answer this method.");
    }
}
