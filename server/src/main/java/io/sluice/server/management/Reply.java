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
public record Reply(HttpResponseStatus status, String contentType, byte[] body) {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    /** The form of every error: a short stable word and a sentence. */
    public record Problem(String error, String reason) {}

    /** An answer without a body. */
    public static Reply empty(HttpResponseStatus status) {
        return new Reply(status, "application/json", new byte[0]);
    }

    public static Reply text(HttpResponseStatus status, String text) {
        return new Reply(status, "text/plain; charset=utf-8", text.getBytes(UTF_8));
    }

    public static Reply json(HttpResponseStatus status, Object value) {
        return new Reply(status, "application/json", JSON.writeValueAsBytes(value));
    }

    public static Reply problem(HttpResponseStatus status, String error, String reason) {
        return json(status, new Problem(error, reason));
    }
}
