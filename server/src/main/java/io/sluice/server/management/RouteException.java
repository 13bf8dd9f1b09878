package io.sluice.server.management;

import io.netty.handler.codec.http.HttpResponseStatus;

/** A route that is refused before routing is asked. */
final class RouteException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient HttpResponseStatus status;
    private final String error;

    RouteException(HttpResponseStatus status, String error, String reason) {
        super(reason, null, false, false);
        this.status = status;
        this.error = error;
    }

    HttpResponseStatus status() {
        return status;
    }

    String error() {
        return error;
    }

    static RouteException bad(String reason) {
        return new RouteException(HttpResponseStatus.BAD_REQUEST, "bad_request", reason);
    }

    static RouteException notImplemented(String reason) {
        return new RouteException(HttpResponseStatus.NOT_IMPLEMENTED, "not_implemented", reason);
    }
}
