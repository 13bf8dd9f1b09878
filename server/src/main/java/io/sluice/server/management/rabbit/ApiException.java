package io.sluice.server.management.rabbit;

import io.netty.handler.codec.http.HttpResponseStatus;
import io.sluice.server.management.Reply;

/** A request that is not fulfilled, with the answer in RabbitMQ's form. */
@SuppressWarnings("serial") // never serialized
final class ApiException extends RuntimeException {
    private final HttpResponseStatus status;
    private final String error;
    private final String reason;

    ApiException(HttpResponseStatus status, String error, String reason) {
        super(reason, null, false, false);
        this.status = status;
        this.error = error;
        this.reason = reason;
    }

    static ApiException notFound() {
        return new ApiException(HttpResponseStatus.NOT_FOUND, "Object Not Found", "Not Found");
    }

    static ApiException badRequest(String reason) {
        return new ApiException(HttpResponseStatus.BAD_REQUEST, "bad_request", reason);
    }

    static ApiException notImplemented(String what) {
        return new ApiException(
                HttpResponseStatus.NOT_IMPLEMENTED, "not_implemented", what + " cannot be changed yet.");
    }

    Reply reply() {
        return Reply.problem(status, error, reason);
    }
}
