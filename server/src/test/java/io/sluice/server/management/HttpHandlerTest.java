package io.sluice.server.management;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HttpHandlerTest {
    private final CompletableFuture<Reply> late = new CompletableFuture<>();
    private final EmbeddedChannel channel = new EmbeddedChannel(
            new HttpServerCodec(),
            new BoundedBody(64),
            new HttpHandler(new Endpoints.Builder()
                    .add(
                            HttpMethod.GET,
                            "/x",
                            body -> CompletableFuture.completedFuture(Reply.text(HttpResponseStatus.OK, "hello")))
                    .add(
                            HttpMethod.POST,
                            "/x",
                            body -> CompletableFuture.completedFuture(
                                    Reply.text(HttpResponseStatus.CREATED, body.toString(UTF_8))))
                    .add(HttpMethod.GET, "/late", body -> late)
                    .add(HttpMethod.GET, "/broken", body -> {
                        throw new IllegalStateException("planted");
                    })
                    .build()));

    @AfterEach
    void close() {
        channel.finishAndReleaseAll();
    }

    @Test
    void answersCarrySecurityHeaders() {
        String answer = send("GET /x?a=b HTTP/1.1\r\nHost: localhost:15672\r\n\r\n");

        assertThat(answer)
                .startsWith("HTTP/1.1 200 OK")
                .contains("x-content-type-options: nosniff", "x-frame-options: DENY", "cache-control: no-store")
                .contains("content-security-policy: default-src 'none'")
                .endsWith("hello");
    }

    @Test
    void headHasNoBody() {
        assertThat(send("HEAD /x HTTP/1.1\r\nHost: [::1]\r\n\r\n"))
                .startsWith("HTTP/1.1 200 OK")
                .contains("content-length: 5")
                .endsWith("\r\n\r\n");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "GET /none HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n | 404 | not_found",
                "DELETE /x HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\n\\r\\n | 405 | answers GET, POST",
                "POST /x HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 0\\r\\n\\r\\n | 415 | application/json",
                "POST /x HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: text/plain\\r\\nContent-Length: 0\\r\\n\\r\\n | 415 | json",
                "POST /x HTTP/1.1\\r\\nHost: localhost\\r\\nOrigin: http://evil.example\\r\\nContent-Type: application/json\\r\\n"
                        + "Content-Length: 0\\r\\n\\r\\n | 403 | another origin",
                "POST /x HTTP/1.1\\r\\nHost: localhost\\r\\nOrigin: null\\r\\nContent-Type: application/json\\r\\n"
                        + "Content-Length: 0\\r\\n\\r\\n | 403 | another origin",
                "GET /x HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n | 403 | Host header",
                "GET /x HTTP/2.7\\r\\nHost: localhost\\r\\n\\r\\n | 505 | HTTP/1.1",
                "GARBAGE\\r\\n\\r\\n | 400 | bad_request",
                "GET /broken HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n | 500 | internal_error",
            })
    void refusalsAreJsonWithErrorAndReason(String request, int status, String expected) {
        assertThat(send(request.trim().replace("\\r\\n", "\r\n") + ""))
                .startsWith("HTTP/1.1 " + status)
                .contains("content-type: application/json", "{\"error\":\"", "\"reason\":\"")
                .contains(expected);
    }

    @Test
    void jsonPostOfTheSameOriginIsTaken() {
        assertThat(send("POST /x HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://localhost:1\r\n"
                        + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"))
                .startsWith("HTTP/1.1 201")
                .endsWith("{}");
    }

    @Test
    void oversizedBodyIsRefused() {
        assertThat(send(
                        "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n"
                                + "x".repeat(65)))
                .startsWith("HTTP/1.1 413")
                .contains("too_large", "at most 64 bytes");
    }

    @Test
    void nextRequestWaitsForTheAnswer() {
        assertThat(send("GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")).isEmpty();
        assertThat(channel.config().isAutoRead()).isFalse();

        late.complete(Reply.text(HttpResponseStatus.OK, "done"));
        channel.runPendingTasks();

        assertThat(read()).endsWith("done");
        assertThat(channel.config().isAutoRead()).isTrue();
    }

    private String send(String request) {
        channel.writeInbound(Unpooled.copiedBuffer(request, US_ASCII));
        channel.runPendingTasks();
        return read();
    }

    private String read() {
        StringBuilder answer = new StringBuilder();
        for (ByteBuf part = channel.readOutbound(); part != null; part = channel.readOutbound()) {
            answer.append(part.toString(UTF_8));
            part.release();
        }
        return answer.toString();
    }
}
