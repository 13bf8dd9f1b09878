package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.consume;
import static io.sluice.amqp.AmqpPeers.factory;
import static io.sluice.amqp.AmqpPeers.next;
import static io.sluice.amqp.AmqpPeers.replyCode;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Life cycle of exchanges, queues, consumers and deliveries, with the reply codes of what is refused. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class LifeCycleTest {
    private static final Map<String, Object> NONE = Map.of();

    @TempDir
    private static Path directory;

    private static TestBroker broker;
    private static Connection other;

    private Connection connection;
    private Channel channel;

    private interface Step {
        void run(Channel channel) throws Exception;
    }

    @BeforeAll
    static void open() throws Exception {
        broker = new TestBroker(directory);
        other = factory(broker.port()).newConnection();
        Channel channel = other.createChannel();
        channel.queueDeclare("present", false, false, false, NONE);
        channel.queueDeclare("filled", false, false, false, NONE);
        channel.basicPublish("", "filled", null, new byte[1]);
        channel.queueDeclare("used", false, false, false, NONE);
        channel.basicConsume("used", true, "holder", (tag, delivery) -> {}, tag -> {});
        channel.queueDeclare("sole", false, false, false, NONE);
        channel.basicConsume("sole", true, "sole", false, true, NONE, (tag, delivery) -> {}, tag -> {});
        channel.queueDeclare("locked", false, true, false, NONE);
        channel.queueDeclare("log", true, false, false, Map.of("x-queue-type", "stream"));
        channel.exchangeDeclare("direct", "direct", true);
        channel.exchangeDeclare("inner", "fanout", false, false, true, NONE);
        channel.exchangeDeclare("bound", "fanout");
        channel.queueBind("present", "bound", "");
    }

    @AfterAll
    static void close() throws Exception {
        other.abort();
        broker.close();
    }

    @BeforeEach
    void connect() throws Exception {
        connection = factory(broker.port()).newConnection();
        channel = connection.createChannel();
    }

    @AfterEach
    void disconnect() {
        connection.abort();
    }

    private static Arguments refused(int code, boolean hard, String name, Step step) {
        return Arguments.of(code, hard, name, step);
    }

    static Stream<Arguments> refusals() {
        return Stream.of(
                refused(404, false, "passive queue", c -> c.queueDeclarePassive("missing")),
                refused(404, false, "passive exchange", c -> c.exchangeDeclarePassive("missing")),
                refused(404, false, "consume", c -> c.basicConsume("missing", (t, d) -> {}, t -> {})),
                refused(404, false, "get", c -> c.basicGet("missing", true)),
                refused(404, false, "purge", c -> c.queuePurge("missing")),
                refused(404, false, "bind queue", c -> c.queueBind("missing", "direct", "")),
                refused(404, false, "bind to no exchange", c -> c.queueBind("present", "missing", "")),
                refused(404, false, "bind exchange", c -> c.exchangeBind("direct", "missing", "")),
                refused(404, false, "publish", c -> publishAndSync(c, "missing")),
                refused(406, false, "queue durable", c -> c.queueDeclare("present", true, false, false, NONE)),
                refused(406, false, "queue auto-delete", c -> c.queueDeclare("present", false, false, true, NONE)),
                refused(
                        406,
                        false,
                        "queue arguments",
                        c -> c.queueDeclare("present", false, false, false, Map.of("x-dead-letter-exchange", "x"))),
                refused(406, false, "queue over stream", c -> c.queueDeclare("log", true, false, false, NONE)),
                refused(
                        406,
                        false,
                        "stream over queue",
                        c -> c.queueDeclare("present", true, false, false, Map.of("x-queue-type", "stream"))),
                refused(
                        406,
                        false,
                        "unknown queue type",
                        c -> c.queueDeclare("odd", true, false, false, Map.of("x-queue-type", "odd"))),
                refused(406, false, "exchange type", c -> c.exchangeDeclare("direct", "fanout", true)),
                refused(406, false, "exchange durable", c -> c.exchangeDeclare("direct", "direct", false)),
                refused(406, false, "delete if-unused", c -> c.queueDelete("used", true, false)),
                refused(406, false, "delete if-empty", c -> c.queueDelete("filled", false, true)),
                refused(406, false, "delete exchange if-unused", c -> c.exchangeDelete("bound", true)),
                refused(406, false, "ack of an unknown tag", c -> sync(c, () -> c.basicAck(7, false))),
                refused(406, false, "ack of tags up to an unknown one", c -> sync(c, () -> c.basicAck(7, true))),
                refused(406, false, "nack of an unknown tag", c -> sync(c, () -> c.basicNack(7, false, true))),
                refused(406, false, "reject of an unknown tag", c -> sync(c, () -> c.basicReject(7, true))),
                refused(
                        406,
                        false,
                        "foreign user-id",
                        c -> sync(
                                c,
                                () -> c.basicPublish(
                                        "",
                                        "present",
                                        new AMQP.BasicProperties.Builder()
                                                .userId("root")
                                                .build(),
                                        new byte[0]))),
                refused(
                        406,
                        false,
                        "bad expiration",
                        c -> sync(
                                c,
                                () -> c.basicPublish(
                                        "",
                                        "present",
                                        new AMQP.BasicProperties.Builder()
                                                .expiration("soon")
                                                .build(),
                                        new byte[0]))),
                refused(403, false, "reserved queue name", c -> c.queueDeclare("amq.mine", false, false, false, NONE)),
                refused(403, false, "reserved exchange name", c -> c.exchangeDeclare("amq.mine", "direct")),
                refused(403, false, "delete predeclared exchange", c -> c.exchangeDelete("amq.topic")),
                refused(403, false, "declare default exchange", c -> c.exchangeDeclare("", "direct")),
                refused(403, false, "delete default exchange", c -> c.exchangeDelete("")),
                refused(403, false, "bind to the default exchange", c -> c.queueBind("present", "", "key")),
                refused(403, false, "publish to internal exchange", c -> publishAndSync(c, "inner")),
                refused(
                        403,
                        false,
                        "consume beside an exclusive consumer",
                        c -> c.basicConsume("sole", (t, d) -> {}, t -> {})),
                refused(
                        403,
                        false,
                        "exclusive consumer beside others",
                        c -> c.basicConsume("used", true, "", false, true, NONE, (t, d) -> {}, t -> {})),
                refused(405, false, "passive on a locked queue", c -> c.queueDeclarePassive("locked")),
                refused(405, false, "declare a locked queue", c -> c.queueDeclare("locked", false, true, false, NONE)),
                refused(
                        405,
                        false,
                        "consume from a locked queue",
                        c -> c.basicConsume("locked", (t, d) -> {}, t -> {})),
                refused(405, false, "get from a locked queue", c -> c.basicGet("locked", true)),
                refused(405, false, "bind a locked queue", c -> c.queueBind("locked", "direct", "")),
                refused(405, false, "purge a locked queue", c -> c.queuePurge("locked")),
                refused(405, false, "delete a locked queue", c -> c.queueDelete("locked")),
                refused(405, false, "make a queue exclusive", c -> c.queueDeclare("present", false, true, false, NONE)),
                refused(405, false, "make an exclusive queue shared", c -> {
                    c.queueDeclare("own", false, true, false, NONE);
                    c.queueDeclare("own", false, false, false, NONE);
                }),
                refused(404, false, "passive without a name", c -> {
                    c.queueDeclare("own", false, true, false, NONE);
                    c.queueDeclarePassive("");
                }),
                refused(530, true, "consumer tag in use", c -> {
                    c.basicConsume("present", true, "twice", (t, d) -> {}, t -> {});
                    c.basicConsume("present", true, "twice", (t, d) -> {}, t -> {});
                }),
                refused(
                        540,
                        true,
                        "immediate",
                        c -> sync(c, () -> c.basicPublish("", "present", false, true, null, new byte[0]))),
                refused(406, false, "commit without a transaction", Channel::txCommit),
                refused(406, false, "rollback without a transaction", Channel::txRollback),
                refused(406, false, "transaction after confirms", c -> {
                    c.confirmSelect();
                    c.txSelect();
                }),
                refused(406, false, "confirms after a transaction", c -> {
                    c.txSelect();
                    c.confirmSelect();
                }),
                refused(540, true, "recover without requeue", c -> c.basicRecover(false)),
                refused(540, true, "prefetch size", c -> c.basicQos(1000, 0, false)),
                refused(
                        540,
                        true,
                        "unknown queue argument",
                        c -> c.queueDeclare("t", false, false, false, Map.of("x-log", true))),
                refused(
                        540,
                        true,
                        "unknown consumer argument",
                        c -> c.basicConsume("present", true, Map.of("x-group", "g"), (t, d) -> {}, t -> {})),
                refused(406, false, "unknown exchange type", c -> c.exchangeDeclare("u", "x-unknown")));
    }

    private static void publishAndSync(Channel channel, String exchange) throws Exception {
        sync(channel, () -> channel.basicPublish(exchange, "", null, new byte[0]));
    }

    private interface Action {
        void run() throws Exception;
    }

    /** Does what has no answer and then something that has, so that a refusal shows. */
    private static void sync(Channel channel, Action action) throws Exception {
        action.run();
        channel.queueDeclarePassive("present");
    }

    @ParameterizedTest(name = "{2}: {0}")
    @MethodSource("refusals")
    void refusalsHaveTheirCodesAndEndWhatTheyShould(int code, boolean hard, String name, Step step) throws Exception {
        assertThatThrownBy(() -> step.run(channel))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(code));
        await().until(() -> connection.isOpen() != hard);
        assertThat(channel.isOpen()).isFalse();
        if (!hard) { // the rest of the connection goes on
            assertThat(connection.createChannel().queueDeclarePassive("present").getQueue())
                    .isEqualTo("present");
        }
    }

    @Test
    void whatIsDeclaredAgainAndDeletedTwiceIsFine() throws Exception {
        Map<String, Object> arguments = Map.of("x-dead-letter-exchange", "dlx", "x-queue-type", "quorum");
        channel.queueDeclare("again", true, false, false, arguments);
        channel.queueDeclare("again", true, false, false, arguments);
        channel.exchangeDeclare("ex", "topic", true);
        channel.exchangeDeclare("ex", "topic", true);
        channel.exchangeDeclare("amq.direct", "direct", true);
        channel.exchangeDeclarePassive("amq.fanout");
        channel.queueBind("again", "ex", "k");
        channel.queueBind("again", "ex", "k");
        channel.basicPublish("ex", "k", null, new byte[1]);
        await().until(() -> channel.messageCount("again") == 1);
        channel.queueUnbind("again", "ex", "k");
        channel.queueUnbind("again", "ex", "k");
        channel.queueDelete("again");
        assertThat(channel.queueDelete("again").getMessageCount()).isZero();
        channel.exchangeDelete("ex");
        channel.exchangeDelete("ex");
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void anEmptyNameStandsForTheQueueDeclaredLast() throws Exception {
        String name = channel.queueDeclare("", false, true, true, NONE).getQueue();
        assertThat(name).startsWith("amq.gen-");
        channel.queueBind("", "amq.direct", "to-last");
        channel.basicPublish("amq.direct", "to-last", null, "x".getBytes(UTF_8));
        await().untilAsserted(() -> assertThat(channel.basicGet("", true)).isNotNull());
        assertThat(channel.queuePurge("").getMessageCount()).isZero();
        channel.queueDelete("");
        Channel fresh = connection.createChannel();
        assertThatThrownBy(() -> fresh.queuePurge(""))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(404));
    }

    @Test
    void autoDeleteExchangeGoesWithItsLastBinding() throws Exception {
        channel.exchangeDeclare("brief", "fanout", false, true, NONE);
        channel.queueDeclare("bq", false, true, false, NONE);
        channel.queueBind("bq", "brief", "");
        channel.queueUnbind("bq", "brief", "");
        await().until(() -> broker.host().table().exchange("brief") == null);
    }

    @Test
    void exclusiveQueueCanBeDeclaredAgainByItsOwnConnectionOnly() throws Exception {
        channel.queueDeclare("own", true, true, false, NONE);
        Channel second = connection.createChannel();
        second.queueDeclare("own", true, true, false, NONE);
        assertThatThrownBy(() -> other.createChannel().queueDeclare("own", true, true, false, NONE))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(405));
        connection.close();
        await().ignoreExceptions().until(() -> {
            other.createChannel().queueDeclare("own", false, true, false, NONE);
            return true;
        });
    }

    @Test
    void refusedExclusiveDeclarationLocksNothing() throws Exception {
        assertThatThrownBy(() -> channel.queueDeclare("log", false, true, false, NONE))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
        assertThat(other.createChannel().queueDeclarePassive("log").getQueue()).isEqualTo("log");
        connection.close();
        assertThat(other.createChannel().queueDeclarePassive("log").getQueue()).isEqualTo("log");
    }

    @Test
    void getAnswersTheRestOfTheQueueAndEmpty() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        assertThat(channel.basicGet(queue, true)).isNull();
        channel.confirmSelect();
        channel.basicPublish("", queue, null, "a".getBytes(UTF_8));
        channel.basicPublish("", queue, null, "b".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
        GetResponse first = channel.basicGet(queue, false);
        assertThat(first.getMessageCount()).isEqualTo(1);
        channel.basicReject(first.getEnvelope().getDeliveryTag(), true);
        GetResponse again = channel.basicGet(queue, true);
        assertThat(again.getBody()).isEqualTo("a".getBytes(UTF_8)); // back in its old place
        assertThat(again.getEnvelope().isRedeliver()).isTrue();
    }

    @Test
    void recoverBringsBackEverythingUnsettledInOrder() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        for (int i = 0; i < 3; i++) {
            channel.basicPublish("", queue, null, new byte[] {(byte) i});
        }
        BlockingQueue<Delivery> deliveries = consume(channel, queue, false);
        for (int i = 0; i < 3; i++) {
            next(deliveries);
        }
        channel.basicRecover(true);
        for (int i = 0; i < 3; i++) {
            Delivery again = next(deliveries);
            assertThat(again.getBody()).containsExactly(i);
            assertThat(again.getEnvelope().isRedeliver()).isTrue();
        }
    }

    @Test
    void multipleNackReturnsOrDeadLettersAllUpToItsTag() throws Exception {
        channel.queueDeclare("graves", false, true, false, NONE);
        channel.queueDeclare(
                "plot",
                false,
                true,
                false,
                Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", "graves"));
        BlockingQueue<Delivery> dead = consume(channel, "graves", true);
        BlockingQueue<Delivery> deliveries = consume(channel, "plot", false);
        for (int i = 0; i < 4; i++) {
            channel.basicPublish("", "plot", null, new byte[] {(byte) i});
        }
        List<Long> tags = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            tags.add(next(deliveries).getEnvelope().getDeliveryTag());
        }
        channel.basicNack(tags.get(1), true, true);
        assertThat(next(deliveries).getBody()).containsExactly(0);
        Delivery last = next(deliveries);
        assertThat(last.getBody()).containsExactly(1);
        channel.basicNack(last.getEnvelope().getDeliveryTag(), true, false);
        List<Byte> letters = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            Delivery letter = next(dead);
            letters.add(letter.getBody()[0]);
            assertThat(letter.getEnvelope().getExchange()).isEmpty();
            assertThat(letter.getEnvelope().getRoutingKey()).isEqualTo("graves");
        }
        assertThat(letters).containsExactlyInAnyOrder((byte) 0, (byte) 1, (byte) 2, (byte) 3);
        channel.basicAck(0, true); // nothing is open: no error
        channel.queueDeclarePassive("plot");
    }

    @Test
    void deathsAreListedMostRecentFirstAndTheFirstIsKept() throws Exception {
        channel.queueDeclare("a", false, true, false, dead("b"));
        channel.queueDeclare("b", false, true, false, dead("a"));
        channel.basicPublish("", "a", null, "x".getBytes(UTF_8));
        BlockingQueue<Delivery> a = consume(channel, "a", false);
        BlockingQueue<Delivery> b = consume(channel, "b", false);
        channel.basicReject(next(a).getEnvelope().getDeliveryTag(), false);
        channel.basicReject(next(b).getEnvelope().getDeliveryTag(), false);
        Delivery twice = next(a);
        Map<String, Object> headers = twice.getProperties().getHeaders();
        assertThat(deaths(headers)).containsExactly("b 1", "a 1");
        assertThat(headers.get("x-first-death-queue").toString()).isEqualTo("a");
        assertThat(headers.get("x-last-death-queue").toString()).isEqualTo("b");
        channel.basicReject(twice.getEnvelope().getDeliveryTag(), false);
        headers = next(b).getProperties().getHeaders();
        assertThat(deaths(headers)).containsExactly("a 2", "b 1");
        assertThat(headers.get("x-first-death-queue").toString()).isEqualTo("a");
        assertThat(headers.get("x-last-death-queue").toString()).isEqualTo("a");
    }

    private static Map<String, Object> dead(String key) {
        return Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", key);
    }

    private static List<String> deaths(Map<String, Object> headers) {
        List<String> deaths = new ArrayList<>();
        for (Object death : (List<?>) headers.get("x-death")) {
            Map<?, ?> fields = (Map<?, ?>) death;
            deaths.add(fields.get("queue") + " " + fields.get("count"));
        }
        return deaths;
    }

    @Test
    void deliveryLimitOfAQuorumQueueDeadLetters() throws Exception {
        channel.queueDeclare("lost", false, true, false, NONE);
        channel.queueDeclare(
                "limited",
                true,
                false,
                false,
                Map.of(
                        "x-queue-type",
                        "quorum",
                        "x-delivery-limit",
                        2,
                        "x-dead-letter-exchange",
                        "",
                        "x-dead-letter-routing-key",
                        "lost"));
        BlockingQueue<Delivery> lost = consume(channel, "lost", true);
        BlockingQueue<Delivery> deliveries = consume(channel, "limited", false);
        channel.basicPublish("", "limited", null, new byte[1]);
        for (int i = 0; i < 3; i++) {
            channel.basicNack(next(deliveries).getEnvelope().getDeliveryTag(), false, true);
        }
        Map<?, ?> death =
                (Map<?, ?>) ((List<?>) next(lost).getProperties().getHeaders().get("x-death")).get(0);
        assertThat(death.get("reason").toString()).isEqualTo("delivery_limit");
    }

    @Test
    void cancelledConsumerSettlesWhatItHolds() throws Exception {
        String queue = channel.queueDeclare("", false, true, false, NONE).getQueue();
        channel.basicQos(1);
        BlockingQueue<Delivery> deliveries = new java.util.concurrent.LinkedBlockingQueue<>();
        String tag = channel.basicConsume(queue, false, (t, delivery) -> deliveries.add(delivery), t -> {});
        channel.basicPublish("", queue, null, "a".getBytes(UTF_8));
        channel.basicPublish("", queue, null, "b".getBytes(UTF_8));
        Delivery held = next(deliveries);
        channel.basicCancel(tag);
        channel.basicAck(held.getEnvelope().getDeliveryTag(), false);
        await().untilAsserted(() -> {
            GetResponse got = channel.basicGet(queue, true);
            assertThat(got).isNotNull();
            assertThat(got.getBody()).isEqualTo("b".getBytes(UTF_8));
        });
        assertThat(deliveries).isEmpty();
    }

    @Test
    void unsettledMessagesComeBackWhenTheirChannelCloses() throws Exception {
        String queue = channel.queueDeclare("", false, true, false, NONE).getQueue();
        channel.basicPublish("", queue, null, "a".getBytes(UTF_8));
        Channel worker = connection.createChannel();
        next(consume(worker, queue, false));
        worker.close();
        Delivery again = next(consume(channel, queue, true));
        assertThat(again.getEnvelope().isRedeliver()).isTrue();
    }

    @Test
    void globalPrefetchBoundsAllConsumersOfAChannelAndLeavesTheRestToOthers() throws Exception {
        String queue = channel.queueDeclare("shared", false, false, false, NONE).getQueue();
        channel.basicQos(2, true);
        BlockingQueue<Delivery> first = consume(channel, queue, false);
        BlockingQueue<Delivery> second = consume(channel, queue, false);
        for (int i = 0; i < 20; i++) {
            channel.basicPublish("", queue, null, new byte[] {(byte) i});
        }
        await().until(() -> first.size() + second.size() == 2);
        // another channel gets what this one must not take, but for what waits within its consumers' windows
        Channel worker = connection.createChannel();
        BlockingQueue<Delivery> third = consume(worker, queue, true);
        await().until(() -> third.size() >= 16);
        assertThat(first.size() + second.size()).isEqualTo(2);
        int settled = 0;
        while (settled + third.size() < 20) {
            Delivery delivery = first.poll(10, TimeUnit.MILLISECONDS);
            if (delivery == null) {
                delivery = second.poll(10, TimeUnit.MILLISECONDS);
            }
            if (delivery != null) {
                channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
                settled++;
            }
        }
        channel.basicQos(0, true);
        channel.queueDelete(queue);
    }

    @Test
    void globalPrefetchOfRunningConsumersCanBeRaised() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        BlockingQueue<Delivery> deliveries = consume(channel, queue, false);
        channel.basicQos(1, true);
        for (int i = 0; i < 6; i++) {
            channel.basicPublish("", queue, null, new byte[] {(byte) i});
        }
        next(deliveries);
        assertThat(deliveries.poll(100, TimeUnit.MILLISECONDS)).isNull();
        channel.basicQos(4, true);
        await().until(() -> deliveries.size() == 3);
        channel.basicQos(0, true);
        await().until(() -> deliveries.size() == 5);
    }

    @Test
    void consumersOfOneQueueShareItWithinTheirPrefetch() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        channel.basicQos(1);
        BlockingQueue<Delivery> first = consume(channel, queue, false);
        channel.basicQos(3);
        BlockingQueue<Delivery> second = consume(channel, queue, false);
        for (int i = 0; i < 10; i++) {
            channel.basicPublish("", queue, null, new byte[] {(byte) i});
        }
        await().until(() -> first.size() == 1 && second.size() == 3);
        channel.basicAck(next(first).getEnvelope().getDeliveryTag(), false);
        next(first);
        assertThat(second).hasSize(3);
    }

    /** More than the broker keeps for a channel that waits: reading stops and goes on, and every method takes effect once. */
    @Test
    void commandsWithoutAnswersMayRunFarAhead() throws Exception {
        String key = "k".repeat(200);
        channel.queueDeclare("far", false, false, false, NONE);
        for (int i = 0; i < 4_000; i++) {
            channel.queueBindNoWait("far", "amq.direct", key + i % 2_000, NONE);
        }
        channel.queueDeclarePassive("far");
        for (int i = 0; i < 2_000; i++) {
            channel.basicPublish("amq.direct", key + i, null, new byte[1]);
        }
        assertThat(channel.queueDeclarePassive("far").getMessageCount()).isEqualTo(2_000);
        channel.queueDelete("far");
    }
}
