package io.sluice.server.management.rabbit;

import io.netty.handler.codec.http.HttpResponseStatus;
import io.sluice.routing.RoutingException;
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

    static ApiException unavailable(String reason) {
        return new ApiException(HttpResponseStatus.SERVICE_UNAVAILABLE, "unavailable", reason);
    }

    /** A refusal of the catalog. */
    static ApiException of(RoutingException refusal) {
        String reason = String.valueOf(refusal.getMessage());
        return switch (refusal.reason()) {
            case NOT_FOUND -> new ApiException(HttpResponseStatus.NOT_FOUND, "Object Not Found", reason);
            case ACCESS_REFUSED -> new ApiException(HttpResponseStatus.UNAUTHORIZED, "not_authorised", reason);
            case NOT_IMPLEMENTED -> new ApiException(HttpResponseStatus.NOT_IMPLEMENTED, "not_implemented", reason);
            case UNAVAILABLE -> unavailable(reason);
            default -> badRequest(reason);
        };
    }

    HttpResponseStatus status() {
        return status;
    }

    Reply reply() {
        return Reply.problem(status, error, reason);
    }
}
