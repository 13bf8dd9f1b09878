package io.sluice.server.management;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.handler.codec.http.HttpResponseStatus;
import tools.jackson.databind.json.JsonMapper;

/**
 * An answer to a management request.
 *
 * @param status HTTP status
 * @param contentType media type of the body
 * @param body body, empty for none
 */
@SuppressWarnings("ArrayRecordComponent") // written once to the wire; never compared
record Reply(HttpResponseStatus status, String contentType, byte[] body) {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    /** The form of every error: a short stable word and a sentence. */
    record Problem(String error, String reason) {}

    static Reply text(HttpResponseStatus status, String text) {
        return new Reply(status, "text/plain; charset=utf-8", text.getBytes(UTF_8));
    }

    static Reply json(HttpResponseStatus status, Object value) {
        return new Reply(status, "application/json", JSON.writeValueAsBytes(value));
    }

    static Reply problem(HttpResponseStatus status, String error, String reason) {
        return json(status, new Problem(error, reason));
    }
}
