package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.next;
import static io.sluice.amqp.AmqpPeers.replyCode;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import io.sluice.log.StreamConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Queues of type stream: their arguments, and reading them from any position. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class StreamsTest extends ClientTest {
    private static final AtomicInteger SERIAL = new AtomicInteger();

    private final String id = "s" + SERIAL.incrementAndGet();

    @BeforeEach
    void confirm() throws IOException {
        channel.confirmSelect();
    }

    private void declare(Map<String, Object> more) throws IOException {
        declare(channel, more);
    }

    private void declare(Channel on, Map<String, Object> more) throws IOException {
        Map<String, Object> arguments = new HashMap<>(more);
        arguments.put("x-queue-type", "stream");
        on.queueDeclare(id, true, false, false, arguments);
    }

    private void publish(int from, int to) throws Exception {
        for (int i = from; i < to; i++) {
            channel.basicPublish(
                    "",
                    id,
                    new AMQP.BasicProperties.Builder()
                            .deliveryMode(2)
                            .messageId("id" + i)
                            .headers(Map.of("n", i))
                            .build(),
                    ("m" + i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
    }

    private BlockingQueue<Delivery> read(Channel on, Object offset) throws IOException {
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        on.basicConsume(
                id,
                false,
                Map.of("x-stream-offset", offset),
                (tag, delivery) -> {
                    got.add(delivery);
                    on.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
                },
                tag -> {});
        return got;
    }

    private static void expect(BlockingQueue<Delivery> got, int from, int to) throws Exception {
        for (int i = from; i < to; i++) {
            Delivery delivery = next(got);
            assertThat(new String(delivery.getBody(), UTF_8)).isEqualTo("m" + i);
            assertThat(delivery.getProperties().getHeaders())
                    .containsEntry("x-stream-offset", (long) i)
                    .containsEntry("n", i);
            assertThat(delivery.getProperties().getMessageId()).isEqualTo("id" + i);
            assertThat(delivery.getEnvelope().isRedeliver()).isFalse();
        }
    }

    @Test
    void everyConsumerReadsFromItsOwnPositionOn() throws Exception {
        declare(Map.of());
        publish(0, 50);
        Channel reader = connection.createChannel();
        reader.basicQos(10);
        BlockingQueue<Delivery> first = read(reader, "first");
        BlockingQueue<Delivery> offset = read(reader, 40);
        BlockingQueue<Delivery> next = read(reader, "next");
        BlockingQueue<Delivery> past = read(reader, 55L);
        BlockingQueue<Delivery> last = read(reader, "last");
        expect(first, 0, 50);
        expect(offset, 40, 50);
        Delivery inLast = next(last);
        long from = (Long) inLast.getProperties().getHeaders().get("x-stream-offset");
        assertThat(from).isBetween(0L, 49L);
        publish(50, 60);
        expect(first, 50, 60);
        expect(offset, 50, 60);
        expect(next, 50, 60);
        expect(past, 55, 60);
        assertThat(channel.queueDeclarePassive(id).getMessageCount()).isEqualTo(60);
    }

    @Test
    void aTimeAndAnIntervalArePositionsToo() throws Exception {
        declare(Map.of());
        publish(0, 5);
        // the record's time is the broker's, which need not be this process's to the millisecond
        await().pollDelay(1100, TimeUnit.MILLISECONDS).until(() -> true);
        long between = System.currentTimeMillis();
        await().pollDelay(1100, TimeUnit.MILLISECONDS).until(() -> true);
        publish(5, 10);
        Channel reader = connection.createChannel();
        reader.basicQos(100);
        expect(read(reader, new Date(between)), 5, 10);
        expect(read(reader, "5m"), 0, 10);
        BlockingQueue<Delivery> future = read(reader, new Date(between + 3_600_000));
        publish(10, 11);
        expect(future, 10, 11);
    }

    @Test
    void prefetchBoundsWhatIsUnsettledAndNothingComesBack() throws Exception {
        declare(Map.of());
        publish(0, 30);
        Channel reader = connection.createChannel();
        reader.basicQos(4);
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        reader.basicConsume(
                id, false, Map.of("x-stream-offset", "first"), (tag, delivery) -> got.add(delivery), tag -> {});
        expect(got, 0, 4);
        assertThat(got.poll(200, TimeUnit.MILLISECONDS)).isNull();
        reader.basicAck(2, true);
        expect(got, 4, 6);
        reader.basicNack(3, false, true);
        reader.basicReject(4, false);
        expect(got, 6, 8);
        assertThat(got.poll(200, TimeUnit.MILLISECONDS)).isNull();
    }

    @Test
    void aKafkaTopicOfSeveralPartitionsIsReadWhole() throws Exception {
        broker.host()
                .declareStream(io.sluice.access.Caller.broker("/"), id, 3, StreamConfig.DEFAULT, Map.of())
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
        declare(Map.of());
        for (int i = 0; i < 30; i++) {
            channel.basicPublish(
                    "",
                    id,
                    new AMQP.BasicProperties.Builder()
                            .headers(Map.of("x-key", "k" + i))
                            .build(),
                    ("m" + i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
        Channel reader = connection.createChannel();
        reader.basicQos(7);
        BlockingQueue<Delivery> got = read(reader, "first");
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            bodies.add(new String(next(got).getBody(), UTF_8));
        }
        assertThat(bodies).doesNotHaveDuplicates().hasSize(30);
    }

    @Test
    void aFilterPassesWhatItNames() throws Exception {
        declare(Map.of());
        String[] values = {"a", "b", "c"};
        for (int i = 0; i < 40; i++) {
            channel.basicPublish(
                    "",
                    id,
                    new AMQP.BasicProperties.Builder()
                            .headers(i % 4 == 3 ? Map.of() : Map.of("x-stream-filter-value", values[i % 4]))
                            .build(),
                    ("m" + i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
        assertThat(filtered(Map.of("x-stream-filter", "b"), 10)).allMatch(n -> n % 4 == 1);
        assertThat(filtered(Map.of("x-stream-filter", List.of("a", "c")), 20)).allMatch(n -> n % 4 == 0 || n % 4 == 2);
        assertThat(filtered(Map.of("x-stream-filter", "c", "x-stream-match-unfiltered", true), 20))
                .allMatch(n -> n % 4 >= 2);
        Channel own = connection.createChannel();
        own.basicQos(1);
        assertThatThrownBy(() -> own.basicConsume(id, false, Map.of("x-stream-filter", 1), (tag, d) -> {}, tag -> {}))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
    }

    private List<Integer> filtered(Map<String, Object> filter, int count) throws Exception {
        Channel reader = connection.createChannel();
        reader.basicQos(5);
        Map<String, Object> arguments = new HashMap<>(filter);
        arguments.put("x-stream-offset", "first");
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        reader.basicConsume(
                id,
                false,
                arguments,
                (tag, delivery) -> {
                    got.add(delivery);
                    reader.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
                },
                tag -> {});
        List<Integer> numbers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            numbers.add(Integer.parseInt(new String(next(got).getBody(), UTF_8).substring(1)));
        }
        assertThat(got.poll(100, TimeUnit.MILLISECONDS)).isNull();
        return numbers;
    }

    @Test
    void largeBacklogsReachASlowReaderInBoundedPieces() throws Exception {
        declare(Map.of());
        byte[] body = new byte[200_000];
        for (int i = 0; i < 100; i++) {
            channel.basicPublish("", id, null, body);
        }
        channel.waitForConfirmsOrDie(30_000);
        Channel reader = connection.createChannel();
        reader.basicQos(1000);
        BlockingQueue<Delivery> got = read(reader, "first");
        for (int i = 0; i < 100; i++) {
            assertThat(next(got).getBody()).hasSize(200_000);
        }
    }

    @Test
    void consumersAreCancelledByThemselvesAndWithTheirStream() throws Exception {
        declare(Map.of());
        Channel reader = connection.createChannel();
        reader.basicQos(5);
        AtomicBoolean cancelled = new AtomicBoolean();
        String own = reader.basicConsume(
                id, false, Map.of("x-stream-offset", "next"), (tag, delivery) -> {}, tag -> cancelled.set(true));
        BlockingQueue<Delivery> got = read(reader, "next");
        reader.basicCancel(own);
        publish(0, 3);
        expect(got, 0, 3);
        AtomicBoolean told = new AtomicBoolean();
        reader.basicConsume(id, false, Map.of("x-stream-offset", "next"), (tag, delivery) -> {}, tag -> told.set(true));
        channel.queueDelete(id);
        await().untilTrue(told);
        assertThat(cancelled).isFalse();
        assertThat(reader.isOpen()).isTrue();
    }

    @Test
    void retentionArgumentsAreTheStreamsSettings() throws Exception {
        Map<String, Object> arguments = Map.of(
                "x-max-age",
                "2D",
                "x-max-length-bytes",
                5_000_000_000L,
                "x-stream-max-segment-size-bytes",
                2_000_000,
                "x-stream-filter-size-bytes",
                32,
                "x-initial-cluster-size",
                1,
                "x-queue-leader-locator",
                "balanced");
        declare(arguments);
        declare(arguments);
        declare(Map.of());
        assertThat(broker.host().streamConfigs(id))
                .containsEntry("retention.ms", "172800000")
                .containsEntry("retention.bytes", "5000000000")
                .containsEntry("segment.bytes", "2000000");
        StreamConfig config = broker.host().table().stream(id).config();
        assertThat(config.retentionMillis()).isEqualTo(172_800_000);
        assertThat(config.retentionBytes()).isEqualTo(5_000_000_000L);
        assertThat(config.segmentBytes()).isEqualTo(2_000_000);
        Channel other = connection.createChannel();
        assertThatThrownBy(() -> declare(other, Map.of("x-max-age", "3D")))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
        assertThat(other.getCloseReason().getMessage()).contains("inequivalent arg 'x-max-age' for queue '" + id);
    }

    @Test
    void withoutArgumentsAStreamKeepsEverything() throws Exception {
        declare(Map.of());
        StreamConfig config = broker.host().table().stream(id).config();
        assertThat(config.retentionMillis()).isEqualTo(-1);
        assertThat(config.retentionBytes()).isEqualTo(-1);
    }

    static Stream<Arguments> badDeclarations() {
        return Stream.of(
                arguments("x-max-age", "many", "invalid_max_age"),
                arguments("x-max-age", "5x", "invalid_max_age"),
                arguments("x-max-age", 5, "{unacceptable_type,signedint}"),
                arguments("x-stream-max-segment-size-bytes", 3_000_000_001L, "Exceeded max value"),
                arguments("x-stream-filter-size-bytes", 300, "Invalid value for x-stream-filter-size-bytes"),
                arguments("x-max-length", 5, "of queue type rabbit_stream_queue"),
                arguments("x-message-ttl", 5, "of queue type rabbit_stream_queue"),
                arguments("x-max-priority", 5, "of queue type rabbit_stream_queue"));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("badDeclarations")
    void badArgumentsAreRefused(String name, Object value, String why) throws Exception {
        Channel own = connection.createChannel();
        assertThatThrownBy(() -> declare(own, Map.of(name, value)))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
        assertThat(own.getCloseReason().getMessage()).contains(why);
    }

    @Test
    void streamsAndQuorumQueuesAreDurableAndShared() throws Exception {
        for (String type : List.of("stream", "quorum")) {
            Object[][] wrong = {
                {"non-durable", false, false, false},
                {"exclusive-owner", true, true, false},
                {"auto-delete", true, false, true}
            };
            for (Object[] flags : wrong) {
                Channel own = connection.createChannel();
                assertThatThrownBy(() -> own.queueDeclare(
                                id + type,
                                (Boolean) flags[1],
                                (Boolean) flags[2],
                                (Boolean) flags[3],
                                Map.of("x-queue-type", type)))
                        .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
                assertThat(own.getCloseReason().getMessage()).contains("invalid property '" + flags[0] + "'");
            }
        }
        declare(Map.of());
        Channel own = connection.createChannel();
        assertThatThrownBy(() -> own.queueDeclare(id, true, false, false, null))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
        assertThat(own.getCloseReason().getMessage())
                .contains("inequivalent arg 'x-queue-type'", "received 'classic' but current is 'stream'");
    }

    private interface Attempt {
        void run(Channel channel) throws IOException;
    }

    static Stream<Arguments> refusedReads() {
        return Stream.of(
                arguments("no prefetch", 406, "consumer prefetch count is not set for stream", (Attempt)
                        c -> consume(c, false, Map.of())),
                arguments("a bad position", 406, "invalid arg 'x-stream-offset'", (Attempt) c -> {
                    c.basicQos(1);
                    consume(c, false, Map.of("x-stream-offset", "sometime"));
                }),
                arguments("a priority", 406, "invalid arg 'x-priority'", (Attempt) c -> {
                    c.basicQos(1);
                    consume(c, false, Map.of("x-priority", 1));
                }),
                arguments("no acknowledgements", 540, "automatic acknowledgement not supported by stream", (Attempt)
                        c -> {
                            c.basicQos(1);
                            consume(c, true, Map.of());
                        }),
                arguments("a prefetch over the channel", 540, "does not support global qos", (Attempt) c -> {
                    c.basicQos(1, true);
                    consume(c, false, Map.of());
                }),
                arguments("get", 540, "basic.get not supported by stream queues", (Attempt)
                        c -> c.basicGet("log", false)),
                arguments("purge", 540, "queue.purge not supported by stream queues", (Attempt)
                        c -> c.queuePurge("log")));
    }

    private static void consume(Channel channel, boolean autoAck, Map<String, Object> arguments) throws IOException {
        channel.basicConsume("log", autoAck, arguments, (tag, delivery) -> {}, tag -> {});
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refusedReads")
    void whatAStreamCannotDoIsRefused(String what, int code, String text, Attempt attempt) throws Exception {
        channel.queueDeclare("log", true, false, false, Map.of("x-queue-type", "stream"));
        Channel own = connection.createChannel();
        assertThatThrownBy(() -> attempt.run(own)).satisfies(e -> {
            assertThat(replyCode(e)).isEqualTo(code);
            assertThat(e).hasStackTraceContaining(text);
        });
    }
}
