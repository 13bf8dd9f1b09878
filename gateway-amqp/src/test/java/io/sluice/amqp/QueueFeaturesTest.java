package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.consume;
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
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Arguments of queues and what they do: time to live, priority, limits, single active consumer. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class QueueFeaturesTest extends ClientTest {
    @BeforeEach
    void confirm() throws IOException {
        channel.confirmSelect();
    }

    private String declare(String name, Object... pairs) throws IOException {
        return channel.queueDeclare(name, true, false, false, of(pairs)).getQueue();
    }

    private static Map<String, Object> of(Object... pairs) {
        Map<String, Object> arguments = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            arguments.put((String) pairs[i], pairs[i + 1]);
        }
        return arguments;
    }

    private static AMQP.BasicProperties properties(@Nullable Integer priority, @Nullable String expiration) {
        return new AMQP.BasicProperties.Builder()
                .deliveryMode(2)
                .priority(priority)
                .expiration(expiration)
                .build();
    }

    private void publish(String queue, AMQP.BasicProperties properties, String... bodies) throws Exception {
        for (String body : bodies) {
            channel.basicPublish("", queue, properties, body.getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
    }

    private void publish(String queue, String... bodies) throws Exception {
        publish(queue, MessageProperties.PERSISTENT_BASIC, bodies);
    }

    private static String body(Delivery delivery) {
        return new String(delivery.getBody(), UTF_8);
    }

    private List<String> drain(String queue) throws IOException {
        List<String> bodies = new ArrayList<>();
        GetResponse got = channel.basicGet(queue, true);
        while (got != null) {
            bodies.add(new String(got.getBody(), UTF_8));
            got = channel.basicGet(queue, true);
        }
        return bodies;
    }

    private long ready(String queue) throws IOException {
        return channel.messageCount(queue);
    }

    @Test
    void everyArgumentIsTakenAndDeclaredAgain() throws Exception {
        Map<String, Object> classic = of(
                "x-queue-type",
                "classic",
                "x-message-ttl",
                60_000,
                "x-expires",
                60_000L,
                "x-max-length",
                10,
                "x-max-length-bytes",
                1_000_000,
                "x-overflow",
                "reject-publish-dlx",
                "x-max-priority",
                255,
                "x-single-active-consumer",
                true,
                "x-dead-letter-exchange",
                "amq.direct",
                "x-dead-letter-routing-key",
                "dead",
                "x-queue-mode",
                "lazy",
                "x-queue-version",
                2,
                "x-queue-master-locator",
                "min-masters",
                "x-queue-leader-locator",
                "balanced");
        channel.queueDeclare("all", true, false, false, classic);
        channel.queueDeclare("all", true, false, false, classic);
        Map<String, Object> quorum = of(
                "x-queue-type",
                "quorum",
                "x-message-ttl",
                0,
                "x-max-length",
                0,
                "x-overflow",
                "reject-publish",
                "x-single-active-consumer",
                false,
                "x-delivery-limit",
                -1,
                "x-dead-letter-strategy",
                "at-least-once",
                "x-max-in-memory-length",
                5,
                "x-quorum-initial-group-size",
                3,
                "x-queue-leader-locator",
                "client-local");
        channel.queueDeclare("all-quorum", true, false, false, quorum);
        channel.queueDeclare("all-quorum", true, false, false, quorum);
        declare("plain-classic", "x-queue-type", "classic");
        declare("plain-classic");
        assertThat(channel.isOpen()).isTrue();
    }

    static Stream<Arguments> invalid() {
        return Stream.of(
                arguments("{value_negative,-1}", "x-message-ttl", of("x-message-ttl", -1)),
                arguments("{value_too_large,315360000001}", "x-message-ttl", of("x-message-ttl", 315_360_000_001L)),
                arguments("\"expected integer, got longstr\"", "x-message-ttl", of("x-message-ttl", "1000")),
                arguments("\"expected integer, got double\"", "x-message-ttl", of("x-message-ttl", 1.5)),
                arguments("{value_zero,0}", "x-expires", of("x-expires", 0)),
                arguments("{value_negative,-5}", "x-expires", of("x-expires", -5)),
                arguments("{value_negative,-1}", "x-max-length", of("x-max-length", -1)),
                arguments("{value_negative,-1}", "x-max-length-bytes", of("x-max-length-bytes", -1)),
                arguments("invalid_overflow", "x-overflow", of("x-overflow", "drop-tail")),
                arguments("{unacceptable_type,signedint}", "x-overflow", of("x-overflow", 1)),
                arguments("{max_value_exceeded,256}", "x-max-priority", of("x-max-priority", 256)),
                arguments("{value_negative,-1}", "x-max-priority", of("x-max-priority", -1)),
                arguments(
                        "{unacceptable_type,longstr}",
                        "x-single-active-consumer",
                        of("x-single-active-consumer", "true")),
                arguments("\"unsupported queue version '3'\"", "x-queue-version", of("x-queue-version", 3)),
                arguments("invalid_queue_locator_arg", "x-queue-leader-locator", of("x-queue-leader-locator", "here")),
                arguments("{value_negative,-2}", "x-delivery-limit", of("x-delivery-limit", -2)),
                arguments("\"unsupported queue type 'log'\"", "x-queue-type", of("x-queue-type", "log")),
                arguments(
                        "routing_key_but_no_dlx_defined",
                        "x-dead-letter-routing-key",
                        of("x-dead-letter-routing-key", "k")),
                arguments(
                        "reject-publish-dlx is not supported by quorum queues",
                        "x-overflow",
                        of("x-queue-type", "quorum", "x-overflow", "reject-publish-dlx")));
    }

    @ParameterizedTest(name = "{1}: {0}")
    @MethodSource("invalid")
    void invalidArgumentsAreRefused(String why, String argument, Map<String, Object> arguments) throws Exception {
        assertThatThrownBy(() -> channel.queueDeclare("bad", true, false, false, arguments))
                .hasStackTraceContaining(
                        "PRECONDITION_FAILED - invalid arg '" + argument + "' for queue 'bad' in vhost '/': " + why)
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
        assertThat(connection.isOpen()).isTrue();
    }

    static Stream<Arguments> foreign() {
        return Stream.of(
                arguments("quorum", of("x-queue-type", "quorum", "x-max-priority", 5), "x-max-priority"),
                arguments("quorum", of("x-queue-type", "quorum", "x-queue-mode", "lazy"), "x-queue-mode"),
                arguments("classic", of("x-dead-letter-strategy", "at-least-once"), "x-dead-letter-strategy"),
                arguments("stream", of("x-queue-type", "stream", "x-message-ttl", 5), "x-message-ttl"),
                arguments("stream", of("x-queue-type", "stream", "x-max-priority", 5), "x-max-priority"));
    }

    @ParameterizedTest(name = "{2} on {0}")
    @MethodSource("foreign")
    void argumentsOfOtherQueueTypesAreRefused(String type, Map<String, Object> arguments, String argument)
            throws Exception {
        assertThatThrownBy(() -> channel.queueDeclare("bad", true, false, false, arguments))
                .hasStackTraceContaining("invalid arg '" + argument
                        + "' for queue 'bad' in vhost '/' of queue type rabbit_" + type + "_queue")
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
    }

    static Stream<Arguments> inequivalent() {
        return Stream.of(
                arguments(true, of("x-message-ttl", 2000), "arg 'x-message-ttl'", "'2000'", "'1000'"),
                arguments(true, of(), "arg 'x-message-ttl'", "none", "the value '1000' of type 'signedint'"),
                arguments(
                        true,
                        of("x-message-ttl", 1000L, "x-max-length", 3),
                        "arg 'x-max-length'",
                        "the value '3' of type 'signedint'",
                        "none"),
                arguments(
                        true,
                        of("x-message-ttl", 1000, "x-queue-type", "quorum"),
                        "arg 'x-queue-type'",
                        "'quorum'",
                        "'classic'"),
                arguments(false, of("x-message-ttl", 1000), "arg 'durable'", "'false'", "'true'"));
    }

    @ParameterizedTest(name = "{1}")
    @MethodSource("inequivalent")
    void declaringAgainWithOtherValuesSaysWhichAndWhat(
            boolean durable, Map<String, Object> arguments, String name, String received, String current)
            throws Exception {
        declare("fixed", "x-message-ttl", 1000);
        assertThatThrownBy(() -> channel.queueDeclare("fixed", durable, false, false, arguments))
                .hasStackTraceContaining("PRECONDITION_FAILED - inequivalent " + name
                        + " for queue 'fixed' in vhost '/': received " + received + " but current is " + current)
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("expirations")
    void badExpirationsAreRefused(String expiration, String why) throws Exception {
        channel.basicPublish("", "nowhere", properties(null, expiration), new byte[1]);
        await().until(() -> !channel.isOpen());
        assertThat(channel.getCloseReason())
                .hasMessageContaining("PRECONDITION_FAILED - invalid expiration '" + expiration + "': " + why);
        assertThat(replyCode(channel.getCloseReason())).isEqualTo(406);
    }

    static Stream<Arguments> expirations() {
        return Stream.of(
                arguments("soon", "no_integer"),
                arguments("", "no_integer"),
                arguments("10s", "{leftover_string,\"s\"}"),
                arguments("-1", "{value_negative,-1}"),
                arguments("315360000001", "{value_too_large,315360000001}"),
                arguments("99999999999999999999999", "{value_too_large,99999999999999999999999}"));
    }

    @Test
    void messagesExpireWithoutAConsumerByTheEarlierOfTheirOwnTimeAndTheQueues() throws Exception {
        declare("short-queue", "x-message-ttl", 150);
        declare("long-queue", "x-message-ttl", 60_000);
        publish("short-queue", properties(null, "60000"), "a", "b");
        publish("long-queue", properties(null, "150"), "c");
        publish("long-queue", "d");
        assertThat(broker.host().table().queue("short-queue").stats().ready()).isBetween(0L, 2L);
        await().until(() -> ready("short-queue") == 0 && ready("long-queue") == 1);
        assertThat(drain("long-queue")).containsExactly("d");
    }

    @Test
    void expirationPropertyIsDeliveredAsItWasPublished() throws Exception {
        declare("expiring");
        publish("expiring", properties(null, "50000"), "a");
        assertThat(channel.basicGet("expiring", true).getProps().getExpiration())
                .isEqualTo("50000");
    }

    @Test
    void timeToLiveZeroReachesAWaitingConsumerOnly() throws Exception {
        declare("now", "x-message-ttl", 0);
        publish("now", "nobody");
        await().until(() -> ready("now") == 0);
        BlockingQueue<Delivery> deliveries = consume(channel, "now", true);
        publish("now", "somebody");
        publish("now", properties(null, "0"), "too");
        assertThat(body(next(deliveries))).isEqualTo("somebody");
        assertThat(body(next(deliveries))).isEqualTo("too");
        assertThat(deliveries).isEmpty();
    }

    @Test
    void prioritiesAreStrictAndAReturnedMessageKeepsItsPlace() throws Exception {
        declare("levels", "x-max-priority", 2);
        for (int i = 0; i < 4; i++) {
            publish("levels", properties(0, null), "low" + i);
            publish("levels", properties(1, null), "mid" + i);
            publish("levels", properties(2, null), "top" + i);
        }
        publish("levels", properties(9, null), "above");
        publish("levels", properties(null, null), "none");
        GetResponse first = channel.basicGet("levels", false);
        GetResponse second = channel.basicGet("levels", false);
        assertThat(new String(first.getBody(), UTF_8)).isEqualTo("top0");
        channel.basicNack(second.getEnvelope().getDeliveryTag(), false, true);
        channel.basicReject(first.getEnvelope().getDeliveryTag(), true);
        GetResponse again = channel.basicGet("levels", true);
        assertThat(again.getEnvelope().isRedeliver()).isTrue();
        assertThat(new String(again.getBody(), UTF_8)).isEqualTo("top0");
        assertThat(again.getProps().getPriority()).isEqualTo(2);
        assertThat(drain("levels"))
                .containsExactly(
                        "top1", "top2", "top3", "above", "mid0", "mid1", "mid2", "mid3", "low0", "low1", "low2", "low3",
                        "none");
    }

    @Test
    void priorityMeansNothingToAQueueWithoutLevels() throws Exception {
        declare("flat");
        publish("flat", properties(0, null), "a");
        publish("flat", properties(9, null), "b");
        assertThat(drain("flat")).containsExactly("a", "b");
    }

    @Test
    void dropHeadDeadLettersTheOldestInTheirOrder() throws Exception {
        declare("overflow");
        declare("ring", "x-max-length", 3, "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "overflow");
        publish("ring", "1", "2", "3", "4", "5", "6", "7");
        await().until(() -> ready("overflow") == 4);
        GetResponse first = channel.basicGet("overflow", true);
        assertThat(first.getProps().getHeaders().get("x-first-death-reason")).hasToString("maxlen");
        assertThat(drain("overflow")).containsExactly("2", "3", "4");
        assertThat(drain("ring")).containsExactly("5", "6", "7");
    }

    @Test
    void aLimitOfBytesDropsAsManyAsItTakes() throws Exception {
        declare("bytes", "x-max-length-bytes", 2_000);
        String large = "x".repeat(700);
        publish("bytes", "a" + large, "b" + large, "c" + large, "d" + large);
        List<String> left = drain("bytes");
        assertThat(left).hasSize(2).allMatch(body -> body.length() == 701);
        assertThat(left.get(1)).startsWith("d");
    }

    /** What became of publishes, by their numbers. */
    private static final class Outcomes {
        final Set<Long> acked = Collections.synchronizedSet(new TreeSet<>());
        final Set<Long> nacked = Collections.synchronizedSet(new TreeSet<>());
        private long last;

        Outcomes(Channel channel) {
            channel.addConfirmListener(
                    (tag, multiple) -> add(acked, tag, multiple), (tag, multiple) -> add(nacked, tag, multiple));
        }

        private synchronized void add(Set<Long> to, long tag, boolean multiple) {
            for (long number = multiple ? last + 1 : tag; number <= tag; number++) {
                to.add(number);
            }
            last = tag;
        }
    }

    @ParameterizedTest
    @MethodSource("types")
    void rejectPublishTakesExactlyWhatFits(String type) throws Exception {
        String queue =
                declare("full-" + type, "x-queue-type", type, "x-max-length", 10, "x-overflow", "reject-publish");
        Outcomes outcomes = new Outcomes(channel);
        List<Delivery> returned = Collections.synchronizedList(new ArrayList<>());
        channel.addReturnListener(message -> returned.add(null));
        for (int i = 0; i < 20; i++) {
            channel.basicPublish("", queue, true, MessageProperties.PERSISTENT_BASIC, ("" + i).getBytes(UTF_8));
        }
        await().until(() -> outcomes.acked.size() + outcomes.nacked.size() == 20);
        assertThat(outcomes.acked).containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L);
        assertThat(outcomes.nacked).containsExactly(11L, 12L, 13L, 14L, 15L, 16L, 17L, 18L, 19L, 20L);
        assertThat(returned).isEmpty();
        assertThat(drain(queue)).containsExactly("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");
        channel = connection.createChannel();
        channel.confirmSelect();
        publish(queue, "room");
        assertThat(drain(queue)).containsExactly("room");
    }

    static Stream<String> types() {
        return Stream.of("classic", "quorum");
    }

    @Test
    void refusalsAreToldApartFromUnroutedMessagesAndOtherChannels() throws Exception {
        declare("one", "x-max-length", 1, "x-overflow", "reject-publish");
        declare("many");
        Channel second = connection.createChannel();
        second.confirmSelect();
        Outcomes first = new Outcomes(channel);
        Outcomes other = new Outcomes(second);
        byte[] body = new byte[1];
        for (int i = 0; i < 4; i++) { // numbers of either channel: 1 4 7 10 to one, 2 5 8 11 nowhere, 3 6 9 12 to many
            channel.basicPublish("", "one", MessageProperties.PERSISTENT_BASIC, body);
            second.basicPublish("", "many", MessageProperties.PERSISTENT_BASIC, body);
            channel.basicPublish("", "no-such-queue", null, body);
            second.basicPublish("", "one", null, body);
            channel.basicPublish("", "many", null, body);
            second.basicPublish("", "no-such-queue", null, body);
        }
        await().until(() ->
                first.acked.size() + first.nacked.size() == 12 && other.acked.size() + other.nacked.size() == 12);
        assertThat(first.nacked).containsExactly(4L, 7L, 10L);
        assertThat(other.nacked).containsExactly(2L, 5L, 8L, 11L);
        assertThat(ready("one")).isEqualTo(1);
        assertThat(ready("many")).isEqualTo(8);
    }

    @Test
    void aMessageRefusedByOneOfItsQueuesIsNackedAndStaysInTheOthers() throws Exception {
        declare("fan-full", "x-max-length", 1, "x-overflow", "reject-publish");
        declare("fan-open");
        channel.queueBind("fan-full", "amq.fanout", "");
        channel.queueBind("fan-open", "amq.fanout", "");
        Outcomes outcomes = new Outcomes(channel);
        channel.basicPublish("amq.fanout", "", null, "1".getBytes(UTF_8));
        channel.basicPublish("amq.fanout", "", null, "2".getBytes(UTF_8));
        await().until(() -> outcomes.acked.size() + outcomes.nacked.size() == 2);
        assertThat(outcomes.nacked).containsExactly(2L);
        assertThat(drain("fan-full")).containsExactly("1");
        assertThat(drain("fan-open")).containsExactly("1", "2");
        channel.queueUnbind("fan-full", "amq.fanout", "");
        channel.queueUnbind("fan-open", "amq.fanout", "");
    }

    @Test
    void withoutConfirmsARefusedMessageIsDropped() throws Exception {
        declare("silent", "x-max-length", 1, "x-overflow", "reject-publish");
        Channel plain = connection.createChannel();
        for (int i = 0; i < 3; i++) {
            plain.basicPublish("", "silent", true, null, ("" + i).getBytes(UTF_8));
        }
        plain.queueDeclarePassive("silent");
        assertThat(plain.isOpen()).isTrue();
        assertThat(drain("silent")).containsExactly("0");
    }

    @Test
    void rejectPublishDlxDeadLettersWhatItRefuses() throws Exception {
        declare("refused");
        declare(
                "strict",
                "x-max-length",
                2,
                "x-overflow",
                "reject-publish-dlx",
                "x-dead-letter-exchange",
                "",
                "x-dead-letter-routing-key",
                "refused");
        Outcomes outcomes = new Outcomes(channel);
        for (int i = 0; i < 4; i++) {
            channel.basicPublish("", "strict", MessageProperties.PERSISTENT_BASIC, ("" + i).getBytes(UTF_8));
        }
        await().until(() -> outcomes.acked.size() + outcomes.nacked.size() == 4);
        assertThat(outcomes.nacked).containsExactly(3L, 4L);
        await().until(() -> ready("refused") == 2);
        assertThat(drain("refused")).containsExactly("2", "3");
        assertThat(drain("strict")).containsExactly("0", "1");
    }

    @Test
    void consumersOfHigherPriorityComeFirst() throws Exception {
        declare("ranked");
        BlockingQueue<String> high = new LinkedBlockingQueue<>();
        BlockingQueue<String> low = new LinkedBlockingQueue<>();
        Channel second = connection.createChannel();
        channel.basicQos(2);
        second.basicQos(2);
        channel.basicConsume("ranked", false, of("x-priority", -1), (tag, d) -> low.add(body(d)), tag -> {});
        second.basicConsume("ranked", false, of("x-priority", 10L), (tag, d) -> high.add(body(d)), tag -> {});
        publish("ranked", "1");
        publish("ranked", "2");
        publish("ranked", "3");
        await().until(() -> high.size() + low.size() == 3);
        assertThat(high).containsExactly("1", "2");
        assertThat(low).containsExactly("3");
        assertThatThrownBy(() -> connection
                        .createChannel()
                        .basicConsume("ranked", false, of("x-priority", "high"), (tag, d) -> {}, tag -> {}))
                .hasStackTraceContaining("invalid arg 'x-priority' for queue 'ranked' in vhost '/': "
                        + "\"expected integer, got longstr\"")
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
    }

    @Test
    void aSingleActiveConsumerHandsOver() throws Exception {
        declare("sac", "x-single-active-consumer", true);
        BlockingQueue<Delivery> first = new LinkedBlockingQueue<>();
        String tag = channel.basicConsume("sac", true, (t, d) -> first.add(d), t -> {});
        Channel second = connection.createChannel();
        BlockingQueue<Delivery> waiting = consume(second, "sac", true);
        publish("sac", "1", "2");
        assertThat(body(next(first))).isEqualTo("1");
        assertThat(body(next(first))).isEqualTo("2");
        channel.basicCancel(tag);
        publish("sac", "3");
        assertThat(body(next(waiting))).isEqualTo("3");
        assertThat(first).isEmpty();
        assertThatThrownBy(() -> channel.basicConsume("sac", true, "", false, true, null, (t, d) -> {}, t -> {}))
                .hasStackTraceContaining("ACCESS_REFUSED - queue 'sac' in vhost '/' in exclusive use")
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(403));
    }

    @ParameterizedTest(name = "single active: {0}")
    @MethodSource("sides")
    void aGetPassesAnExclusiveOrSingleActiveConsumer(boolean single) throws Exception {
        String queue = single ? "got-single" : "got-exclusive";
        declare(queue, "x-single-active-consumer", single);
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        channel.basicQos(1);
        String tag = channel.basicConsume(queue, false, "", false, !single, null, (t, d) -> deliveries.add(d), t -> {});
        publish(queue, "1", "2", "3");
        assertThat(body(next(deliveries))).isEqualTo("1");
        GetResponse got = channel.basicGet(queue, true);
        assertThat(new String(got.getBody(), UTF_8)).isEqualTo("2");
        assertThat(channel.queueDeclarePassive(queue).getConsumerCount()).isEqualTo(1);
        Channel second = connection.createChannel();
        GetResponse held = second.basicGet(queue, false); // neither a consumer nor one that takes over
        channel.basicCancel(tag);
        second.basicConsume(queue, true, "", false, !single, null, (t, d) -> deliveries.add(d), t -> {});
        second.basicReject(held.getEnvelope().getDeliveryTag(), true);
        assertThat(body(next(deliveries))).isEqualTo("3");
    }

    static Stream<Boolean> sides() {
        return Stream.of(true, false);
    }

    @Test
    void quorumQueuesWithASingleActiveConsumerCannotBeGotFrom() throws Exception {
        declare("quorum-sac", "x-queue-type", "quorum", "x-single-active-consumer", true);
        assertThatThrownBy(() -> channel.basicGet("quorum-sac", true))
                .hasStackTraceContaining(
                        "RESOURCE_LOCKED - cannot obtain access to locked queue 'quorum-sac' in vhost '/'. "
                                + "basic.get operations are not supported by quorum queues with single active consumer")
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(405));
    }

    @Test
    void aQueueGoesWhenItIsUnusedForItsTime() throws Exception {
        declare("bound-away", "x-expires", 300);
        channel.queueBind("bound-away", "amq.direct", "k");
        await().until(() -> broker.host().table().queue("bound-away") == null);
        assertThat(broker.host().bindings())
                .noneMatch(b -> b.destination().name().equals("bound-away"));
    }

    @Test
    void aQueueInUseOrDeclaredAgainStays() throws Exception {
        declare("consumed", "x-expires", 400);
        declare("renewed", "x-expires", 400);
        CountDownLatch cancelled = new CountDownLatch(1);
        String tag = channel.basicConsume("consumed", true, (t, d) -> {}, t -> cancelled.countDown());
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(1_000);
        while (System.nanoTime() < until) {
            declare("renewed", "x-expires", 400);
            assertThat(cancelled.await(50, TimeUnit.MILLISECONDS)).isFalse();
        }
        assertThat(broker.host().table().queue("renewed")).isNotNull();
        assertThat(broker.host().table().queue("consumed")).isNotNull();
        channel.basicCancel(tag);
        await().until(() -> broker.host().table().queue("consumed") == null);
        await().until(() -> broker.host().table().queue("renewed") == null);
    }

    @Test
    void aFailedMessageWaitsForItsRetryAndCountsTowardsTheLimit() throws Exception {
        declare("dead");
        declare(
                "slow",
                "x-delayed-retry-min",
                300,
                "x-delayed-retry-multiplier",
                2,
                "x-delayed-retry-max",
                400,
                "x-delivery-limit",
                2,
                "x-dead-letter-exchange",
                "",
                "x-dead-letter-routing-key",
                "dead");
        publish("slow", "bad", "good");
        BlockingQueue<Delivery> got = consume(channel, "slow", false);
        long[] waits = new long[2];
        for (int i = 0; i < 3; i++) {
            Delivery bad = next(got);
            assertThat(body(bad)).isEqualTo("bad");
            if (i > 0) {
                waits[i - 1] += System.nanoTime();
            } else {
                // the other one is not held up
                assertThat(body(next(got))).isEqualTo("good");
            }
            if (i < 2) {
                waits[i] = -System.nanoTime();
            }
            channel.basicNack(bad.getEnvelope().getDeliveryTag(), false, true);
        }
        assertThat(TimeUnit.NANOSECONDS.toMillis(waits[0])).isBetween(300L, 5_000L);
        assertThat(TimeUnit.NANOSECONDS.toMillis(waits[1])).isBetween(400L, 5_000L);
        assertThat(body(next(consume(channel, "dead", true)))).isEqualTo("bad");
    }

    static Stream<Arguments> meaninglessRetries() {
        return Stream.of(
                arguments("no first wait", of("x-delayed-retry-max", 1_000)),
                arguments("zero", of("x-delayed-retry-min", 0)),
                arguments("more than ten years", of("x-delayed-retry-min", Long.MAX_VALUE)),
                arguments("a bound below the first", of("x-delayed-retry-min", 10, "x-delayed-retry-max", 9)),
                arguments("no multiplier", of("x-delayed-retry-min", 10, "x-delayed-retry-multiplier", 0)),
                arguments("too much jitter", of("x-delayed-retry-min", 10, "x-delayed-retry-jitter", 101)),
                arguments("text", of("x-delayed-retry-min", "10")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("meaninglessRetries")
    void aRetryThatMakesNoSenseIsRefused(String what, Map<String, Object> arguments) {
        assertThatThrownBy(() -> channel.queueDeclare("refused", true, false, false, arguments))
                .satisfies(e -> assertThat(replyCode(e)).as(what).isEqualTo(406));
    }
}
