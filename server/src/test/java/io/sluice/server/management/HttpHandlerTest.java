package io.sluice.server.management;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.sluice.io.Clock;
import io.sluice.io.SystemClock;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

class HttpHandlerTest {
    private final CompletableFuture<Reply> late = new CompletableFuture<>();
    private final Complaints complaints = new Complaints(new SystemClock());
    private final RequestWatch watch = new RequestWatch(complaints, 30);
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private final Logger logger = (Logger) LoggerFactory.getLogger("io.sluice.server.management");
    private final EmbeddedChannel channel = new EmbeddedChannel(
            watch,
            new HttpServerCodec(),
            new BoundedBody(64, 128, watch, complaints),
            new HttpHandler(
                    new Endpoints.Builder()
                            .add(
                                    HttpMethod.GET,
                                    "/x",
                                    body -> CompletableFuture.completedFuture(
                                            Reply.text(HttpResponseStatus.OK, "hello")))
                            .add(
                                    HttpMethod.POST,
                                    "/x",
                                    body -> CompletableFuture.completedFuture(
                                            Reply.text(HttpResponseStatus.CREATED, body.toString(UTF_8))))
                            .add(HttpMethod.GET, "/late", body -> late)
                            .add(HttpMethod.GET, "/broken", body -> {
                                throw new IllegalStateException("planted");
                            })
                            .build(),
                    watch,
                    complaints));

    @BeforeEach
    void watchLog() {
        log.start();
        logger.addAppender(log);
    }

    private List<String> warnings() {
        return log.list.stream()
                .filter(event -> event.getLevel().isGreaterOrEqual(Level.WARN))
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "GARBAGE\\r\\n\\r\\n | request refused with 400: The request is not valid HTTP/1.1.",
                "POST /x HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 65\\r\\n\\r\\n | refused with 413: its body has more than 64",
                "GET /x HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n | request refused with 403: The Host header",
            })
    void aRefusedRequestIsOneWarning(String request, String expected) {
        assertThat(send(request.trim().replace("\\r\\n", "\r\n"))).startsWith("HTTP/1.1 4");
        channel.close();
        assertThat(warnings())
                .singleElement()
                .asString()
                .startsWith("management ")
                .contains(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GE",
                "GET /x HTTP/1.1\r\nHost: loc",
                "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nhalf",
            })
    void aPeerGoneInTheMiddleOfARequestIsOneWarning(String begun) {
        assertThat(send(begun)).isEmpty();
        channel.finishAndReleaseAll();
        assertThat(warnings()).singleElement().asString().contains("closed the connection in the middle of a request");
    }

    @Test
    void aRequestThatTricklesIsClosedInTimeWithOneWarning() {
        send("GET /x HTTP/1.1\r\n");
        channel.advanceTimeBy(29, TimeUnit.SECONDS);
        send("Host: local");
        assertThat(channel.isOpen()).isTrue();
        channel.advanceTimeBy(2, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        assertThat(channel.isOpen()).isFalse();
        assertThat(warnings()).singleElement().asString().contains("did not arrive whole within 30 s");
    }

    @Test
    void anIdleConnectionAndAnAnsweredOneAreNoWarnings() {
        assertThat(send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")).endsWith("hello");
        channel.advanceTimeBy(60, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        channel.finishAndReleaseAll();
        assertThat(warnings()).isEmpty();
    }

    @Test
    void aFloodFromOneAddressIsOneLineASecond() {
        AtomicLong now = new AtomicLong();
        Complaints bounded = new Complaints(new Clock() {
            @Override
            public long epochMillis() {
                return now.get() / 1_000_000;
            }

            @Override
            public long nanoTime() {
                return now.get();
            }
        });
        for (int port = 1; port <= 100; port++) {
            bounded.about(new InetSocketAddress("127.0.0.1", port), "wrong");
        }
        bounded.about(new InetSocketAddress("127.0.0.2", 1), "wrong");
        assertThat(warnings()).containsExactly("management /127.0.0.1:1: wrong", "management /127.0.0.2:1: wrong");
        now.addAndGet(TimeUnit.SECONDS.toNanos(1));
        bounded.about(new InetSocketAddress("127.0.0.1", 7), "wrong");
        assertThat(warnings()).last().isEqualTo("management /127.0.0.1:7: wrong (and 99 more of this address)");
    }

    @AfterEach
    void close() {
        logger.detachAppender(log);
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
