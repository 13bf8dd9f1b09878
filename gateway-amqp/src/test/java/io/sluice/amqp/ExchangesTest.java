package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.factory;
import static io.sluice.amqp.AmqpPeers.replyCode;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Exchanges of every type, alternates, and what is refused about them. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class ExchangesTest extends ClientTest {
    private static final AtomicInteger SERIAL = new AtomicInteger();

    private final String id = "x" + SERIAL.incrementAndGet();
    private final List<Long> returned = new ArrayList<>();

    @BeforeEach
    void confirm() throws IOException {
        channel.confirmSelect();
        channel.addReturnListener(message -> {
            synchronized (returned) {
                returned.add((long) message.getReplyCode());
            }
        });
    }

    private void publish(String exchange, String key, AMQP.@Nullable BasicProperties properties, String body)
            throws Exception {
        channel.basicPublish(exchange, key, true, properties, body.getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
    }

    private void publish(String exchange, Map<String, Object> headers, String body) throws Exception {
        publish(
                exchange,
                "",
                new AMQP.BasicProperties.Builder().headers(headers).build(),
                body);
    }

    private String queue(String name) throws IOException {
        return channel.queueDeclare(id + name, true, false, false, null).getQueue();
    }

    private List<String> bodies(String queue) throws IOException {
        List<String> bodies = new ArrayList<>();
        GetResponse got = channel.basicGet(queue, true);
        while (got != null) {
            bodies.add(new String(got.getBody(), UTF_8));
            got = channel.basicGet(queue, true);
        }
        return bodies;
    }

    private static void refused(int code, String text, ThrowingCallable action) {
        assertThatThrownBy(action).isInstanceOfSatisfying(IOException.class, e -> {
            assertThat(replyCode(e)).isEqualTo(code);
            assertThat(String.valueOf(e.getCause().getMessage())).contains(text);
        });
    }

    private static Map<String, Object> table(@Nullable Object... namesAndValues) {
        Map<String, Object> table = new HashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            table.put(String.valueOf(namesAndValues[i]), namesAndValues[i + 1]);
        }
        return table;
    }

    static Stream<Arguments> headerMatches() {
        Map<String, Object> both = table("a", 1, "b", "two");
        return Stream.of(
                arguments("all, both there", true, table("x-match", "all", "a", 1, "b", "two"), both),
                arguments("all is the default", true, table("a", 1, "b", "two"), both),
                arguments("all, one missing", false, table("a", 1, "b", "two"), table("a", 1)),
                arguments("all, one other", false, table("a", 1, "b", "two"), table("a", 1, "b", "three")),
                arguments("all, none asked for", true, table("x-match", "all"), table()),
                arguments("all, more there", true, table("a", 1), both),
                arguments("any, one there", true, table("x-match", "any", "a", 1, "b", "two"), table("b", "two")),
                arguments("any, none there", false, table("x-match", "any", "a", 1, "b", "two"), table("c", 1)),
                arguments("any, none asked for", false, table("x-match", "any"), both),
                arguments("integers of any width", true, table("a", 1L), table("a", (short) 1)),
                arguments("no number is text", false, table("a", "1"), table("a", 1)),
                arguments("no integer is a floating-point number", false, table("a", 1), table("a", 1.0)),
                arguments("both floating-point types", true, table("a", 1.5), table("a", 1.5f)),
                arguments("booleans", true, table("a", true), table("a", true)),
                arguments("a boolean is no text", false, table("a", true), table("a", "true")),
                arguments("bytes are text", true, table("a", "t\u00e9xt".getBytes(UTF_8)), table("a", "t\u00e9xt")),
                arguments("times", true, table("a", new Date(5000)), table("a", new Date(5000))),
                arguments("void asks for presence", true, table("a", null), table("a", "anything")),
                arguments("void asks for presence of tables", true, table("a", null), table("a", Map.of("n", 1))),
                arguments("void is not there", false, table("a", null), table("b", "anything")),
                arguments("a void header is no value", false, table("a", 1), table("a", null)),
                arguments("x- is passed over by all", true, table("a", 1, "x-b", 2), table("a", 1)),
                arguments(
                        "x- is passed over by any", false, table("x-match", "any", "a", 1, "x-b", 2), table("x-b", 2)),
                arguments(
                        "all-with-x, not there",
                        false,
                        table("x-match", "all-with-x", "a", 1, "x-b", 2),
                        table("a", 1)),
                arguments(
                        "all-with-x, there",
                        true,
                        table("x-match", "all-with-x", "a", 1, "x-b", 2),
                        table("a", 1, "x-b", 2)),
                arguments("any-with-x", true, table("x-match", "any-with-x", "a", 1, "x-b", 2), table("x-b", 2)),
                arguments("a header named as a property", true, table("type", "order"), table("type", "order")),
                arguments("lists", true, table("a", List.of("b", 1)), table("a", List.of("b", 1))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("headerMatches")
    void headersExchangesCompareAsRabbitMqDoes(
            String name, boolean matches, Map<String, Object> arguments, Map<String, Object> headers) throws Exception {
        channel.exchangeDeclare(id, "headers", true);
        String queue = queue("q");
        channel.queueBind(queue, id, "ignored", arguments);
        publish(id, headers, "m");
        assertThat(bodies(queue)).hasSize(matches ? 1 : 0);
        assertThat(returned).hasSize(matches ? 0 : 1);
    }

    @Test
    void aPropertyIsNoHeader() throws Exception {
        channel.exchangeDeclare(id, "headers", true);
        String queue = queue("q");
        channel.queueBind(queue, id, "", table("type", "order"));
        publish(id, "", new AMQP.BasicProperties.Builder().type("order").build(), "m");
        assertThat(returned).hasSize(1);
    }

    @Test
    void bindingsAreToldApartByTheirArguments() throws Exception {
        channel.exchangeDeclare(id, "headers", true);
        String queue = queue("q");
        channel.queueBind(queue, id, "", table("a", 1));
        channel.queueBind(queue, id, "", table("a", "1"));
        channel.queueBind(queue, id, "", table("b", new byte[] {(byte) 0xff}));
        publish(id, table("a", 1), "number");
        publish(id, table("a", "1"), "text");
        publish(id, table("a", 1, "b", new byte[] {(byte) 0xff}), "both, once");
        channel.queueUnbind(queue, id, "", table("a", 1));
        channel.queueUnbind(queue, id, "", table("b", new byte[] {(byte) 0xff}));
        publish(id, table("a", 1), "gone");
        publish(id, table("a", "1"), "text again");
        assertThat(bodies(queue)).containsExactly("number", "text", "both, once", "text again");
    }

    @Test
    void wrongMatchModesAreRefused() throws Exception {
        channel.exchangeDeclare(id, "headers", true);
        String queue = queue("q");
        refused(406, "Invalid x-match field value", () -> channel.queueBind(queue, id, "", table("x-match", "some")));
        Channel other = connection.createChannel();
        refused(
                406,
                "Invalid x-match field type signedint (value 1); expected longstr",
                () -> other.queueBind(queue, id, "", table("x-match", 1)));
    }

    @Test
    void headersExchangesAreReachedThroughOthersAndLeadToOthers() throws Exception {
        channel.exchangeDeclare(id, "direct", true);
        channel.exchangeDeclare(id + "h", "headers", true, false, true, null);
        channel.exchangeDeclare(id + "f", "fanout", true);
        channel.exchangeBind(id + "h", id, "k");
        channel.exchangeBind(id + "f", id + "h", "", table("a", 1));
        String queue = queue("q");
        channel.queueBind(queue, id + "f", "");
        AMQP.BasicProperties one =
                new AMQP.BasicProperties.Builder().headers(table("a", 1)).build();
        AMQP.BasicProperties two =
                new AMQP.BasicProperties.Builder().headers(table("a", 2)).build();
        publish(id, "k", one, "1");
        publish(id, "k", two, "2");
        publish(id, "k", one, "3");
        channel.exchangeUnbind(id + "f", id + "h", "", table("a", 1));
        publish(id, "k", one, "4");
        assertThat(bodies(queue)).containsExactly("1", "3");
    }

    @Test
    void alternatesTakeWhatFindsNoDestinationAlongChainsThatMayBeCircles() throws Exception {
        channel.exchangeDeclare(id + "a", "direct", true, false, Map.of("alternate-exchange", id + "b"));
        channel.exchangeDeclare(id + "b", "topic", true, false, Map.of("alternate-exchange", id + "c"));
        channel.exchangeDeclare(id + "c", "headers", true, false, Map.of("alternate-exchange", id + "a"));
        String first = queue("q1");
        String second = queue("q2");
        String third = queue("q3");
        channel.queueBind(first, id + "a", "one");
        channel.queueBind(second, id + "b", "t.*");
        channel.queueBind(third, id + "c", "", table("h", "yes"));
        publish(id + "a", "one", null, "1");
        publish(id + "a", "t.x", null, "2");
        publish(
                id + "a",
                "other",
                new AMQP.BasicProperties.Builder().headers(table("h", "yes")).build(),
                "3");
        assertThat(returned).isEmpty();
        publish(id + "a", "other", null, "nowhere");
        assertThat(returned).containsExactly(312L);
        assertThat(bodies(first)).containsExactly("1");
        assertThat(bodies(second)).containsExactly("2");
        assertThat(bodies(third)).containsExactly("3");
    }

    @Test
    void aMissingAlternateLeadsNowhereUntilItIsThere() throws Exception {
        channel.exchangeDeclare(id, "direct", true, false, Map.of("alternate-exchange", id + "later"));
        publish(id, "k", null, "1");
        assertThat(returned).hasSize(1);
        channel.exchangeDeclare(id + "later", "fanout", true);
        String queue = queue("q");
        channel.queueBind(queue, id + "later", "");
        publish(id, "k", null, "2");
        assertThat(bodies(queue)).containsExactly("2");
    }

    @Test
    void consistentHashSpreadsByWeightAndKeepsKeysTogether() throws Exception {
        channel.exchangeDeclare(id, "x-consistent-hash", true);
        Map<String, String> weights = new TreeMap<>(Map.of("a", "1", "b", "1", "c", "2"));
        for (Map.Entry<String, String> entry : weights.entrySet()) {
            channel.queueBind(queue(entry.getKey()), id, entry.getValue());
        }
        for (int i = 0; i < 1000; i++) {
            channel.basicPublish(id, "key" + i % 500, null, ("key" + i % 500).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
        List<String> a = bodies(id + "a");
        List<String> b = bodies(id + "b");
        List<String> c = bodies(id + "c");
        assertThat(a.size() + b.size() + c.size()).isEqualTo(1000);
        assertThat(a.size()).isBetween(150, 350);
        assertThat(b.size()).isBetween(150, 350);
        assertThat(a).doesNotContainAnyElementsOf(b).doesNotContainAnyElementsOf(c);
        // without one destination the others keep what they had
        channel.queueUnbind(id + "c", id, "2");
        for (int i = 0; i < 500; i++) {
            channel.basicPublish(id, "key" + i, null, ("key" + i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
        assertThat(bodies(id + "a")).containsAll(a);
    }

    @Test
    void bindingsOfOneDestinationToAConsistentHashAddUp() throws Exception {
        channel.exchangeDeclare(id, "x-consistent-hash", true);
        channel.queueBind(queue("a"), id, "1");
        String b = queue("b");
        channel.queueBind(b, id, "2");
        channel.queueBind(b, id, "2"); // the same once more
        channel.queueBind(b, id, "5");
        channel.queueBind(b, id, "2", Map.of("another", true));
        for (int i = 0; i < 1000; i++) {
            channel.basicPublish(id, "key" + i, null, ("key" + i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
        List<String> a = bodies(id + "a");
        assertThat(a.size()).isBetween(60, 140); // of 10 parts one
        assertThat(bodies(b)).hasSize(1000 - a.size());
        channel.queueUnbind(b, id, "5");
        channel.queueUnbind(b, id, "2", Map.of("another", true));
        for (int i = 0; i < 1000; i++) {
            channel.basicPublish(id, "key" + i, null, ("key" + i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
        assertThat(bodies(id + "a")).hasSizeBetween(270, 400).containsAll(a); // one third
        channel.queueUnbind(b, id, "2");
        channel.basicPublish(id, "key1", null, new byte[0]);
        channel.waitForConfirmsOrDie(10_000);
        assertThat(channel.messageCount(id + "a")).isEqualTo(1);
    }

    static Stream<Arguments> hashed() {
        return Stream.of(
                arguments(
                        "header",
                        Map.of("hash-header", "customer"),
                        new AMQP.BasicProperties.Builder()
                                .headers(Map.of("customer", "c1"))
                                .build()),
                arguments(
                        "correlation id",
                        Map.of("hash-property", "correlation_id"),
                        new AMQP.BasicProperties.Builder().correlationId("c1").build()),
                arguments(
                        "message id",
                        Map.of("hash-property", "message_id"),
                        new AMQP.BasicProperties.Builder().messageId("c1").build()),
                arguments(
                        "timestamp",
                        Map.of("hash-property", "timestamp"),
                        new AMQP.BasicProperties.Builder()
                                .timestamp(new Date(77_000))
                                .build()));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("hashed")
    void consistentHashLooksAtAHeaderOrAProperty(
            String name, Map<String, Object> arguments, AMQP.BasicProperties properties) throws Exception {
        channel.exchangeDeclare(id, "x-consistent-hash", true, false, arguments);
        for (int i = 0; i < 8; i++) {
            channel.queueBind(queue("q" + i), id, "1");
        }
        for (int i = 0; i < 20; i++) {
            publish(id, "key" + i, properties, "m");
        }
        List<Integer> sizes = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            sizes.add(bodies(id + "q" + i).size());
        }
        assertThat(sizes).containsOnly(0, 20).contains(20);
    }

    @Test
    void hashExchangesRefuseWhatTheyCannotWeigh() throws Exception {
        channel.exchangeDeclare(id, "x-consistent-hash", true);
        String queue = queue("q");
        for (String[] key : new String[][] {
            {"many", "The binding key must be an integer"}, {"0", "The binding key must be greater than 0"}
        }) {
            Channel own = connection.createChannel();
            refused(406, key[1], () -> own.queueBind(queue, id, key[0]));
        }
        Channel two = connection.createChannel();
        refused(
                406,
                "Unsupported property: app_id",
                () -> two.exchangeDeclare(
                        id + "y", "x-consistent-hash", true, false, Map.of("hash-property", "app_id")));
        Channel three = connection.createChannel();
        refused(
                406,
                "hash-header and hash-property are mutually exclusive",
                () -> three.exchangeDeclare(
                        id + "y",
                        "x-consistent-hash",
                        true,
                        false,
                        Map.of("hash-property", "message_id", "hash-header", "h")));
    }

    @Test
    void randomExchangesUseEachOfTheirBindingsOneAtATime() throws Exception {
        channel.exchangeDeclare(id, "x-random", true);
        String a = queue("a");
        String b = queue("b");
        channel.queueBind(a, id, "");
        channel.queueBind(b, id, "whatever");
        for (int i = 0; i < 200; i++) {
            channel.basicPublish(id, "k", null, "m".getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
        int first = bodies(a).size();
        assertThat(first).isBetween(40, 160);
        assertThat(bodies(b)).hasSize(200 - first);
    }

    @Test
    void declaringAgainWithAnotherPropertySaysWhich() throws Exception {
        channel.exchangeDeclare(id, "direct", true, false, false, Map.of("alternate-exchange", "ae", "other", 1));
        channel.exchangeDeclare(id, "direct", true, false, false, Map.of("alternate-exchange", "ae", "another", 2));
        String of = "' for exchange '" + id + "' in vhost '/': received ";
        again(
                "inequivalent arg 'type" + of + "'fanout' but current is 'direct'",
                c -> c.exchangeDeclare(id, "fanout", true, false, false, Map.of("alternate-exchange", "ae")));
        again(
                "inequivalent arg 'durable" + of + "'false' but current is 'true'",
                c -> c.exchangeDeclare(id, "direct", false, false, false, Map.of("alternate-exchange", "ae")));
        again(
                "inequivalent arg 'auto_delete" + of + "'true' but current is 'false'",
                c -> c.exchangeDeclare(id, "direct", true, true, false, Map.of("alternate-exchange", "ae")));
        again(
                "inequivalent arg 'internal" + of + "'true' but current is 'false'",
                c -> c.exchangeDeclare(id, "direct", true, false, true, Map.of("alternate-exchange", "ae")));
        again(
                "inequivalent arg 'alternate-exchange" + of + "'be' but current is 'ae'",
                c -> c.exchangeDeclare(id, "direct", true, false, false, Map.of("alternate-exchange", "be")));
        again(
                "inequivalent arg 'alternate-exchange" + of + "none but current is the value 'ae' of type 'longstr'",
                c -> c.exchangeDeclare(id, "direct", true));
        again(
                "inequivalent arg 'type" + of + "'x-delayed-message' but current is 'direct'",
                c -> c.exchangeDeclare(id, "x-delayed-message", true, false, Map.of("x-delayed-type", "direct")));
    }

    private interface Action {
        void run(Channel channel) throws IOException;
    }

    private void again(String text, Action action) throws IOException {
        Channel own = connection.createChannel();
        refused(406, text, () -> action.run(own));
    }

    @Test
    void typesAlternatesAndNamesThatAreNoneAreRefused() throws IOException {
        again("unknown exchange type 'odd'", c -> c.exchangeDeclare(id, "odd", true));
        again(
                "invalid type 'signedint' for arg 'alternate-exchange' in exchange '" + id + "' in vhost '/'",
                c -> c.exchangeDeclare(id, "direct", true, false, Map.of("alternate-exchange", 1)));
        Channel one = connection.createChannel();
        refused(
                403,
                "exchange name 'amq.own' contains reserved prefix 'amq.*'",
                () -> one.exchangeDeclare("amq.own", "direct", true));
        Channel two = connection.createChannel();
        refused(
                403,
                "deletion of system exchange 'amq.match' in vhost '/' not allowed",
                () -> two.exchangeDelete("amq.match"));
        Channel three = connection.createChannel();
        refused(404, "no exchange 'nothere' in vhost '/'", () -> three.exchangeDeclarePassive("nothere"));
    }

    @Test
    void exchangesInUseStayIfAskedTo() throws IOException {
        channel.exchangeDeclare(id, "x-random", true);
        channel.queueBind(queue("q"), id, "");
        again("exchange '" + id + "' in vhost '/' in use", c -> c.exchangeDelete(id, true));
        channel.queueUnbind(id + "q", id, "");
        channel.exchangeDelete(id, true);
        channel.exchangeDelete(id); // is gone already
    }

    @Test
    void autoDeleteExchangesGoWithTheirLastBinding() throws Exception {
        channel.exchangeDeclare(id, "headers", false, true, null);
        channel.exchangeDeclare(id + "up", "fanout", false, true, null);
        channel.exchangeBind(id, id + "up", "");
        String queue = queue("q");
        channel.queueBind(queue, id, "", table("a", 1));
        channel.exchangeDeclarePassive(id);
        channel.queueDelete(queue);
        // the upper one goes with the lower one, which was its only destination
        Channel own = connection.createChannel();
        refused(404, "no exchange", () -> own.exchangeDeclarePassive(id));
        Channel another = connection.createChannel();
        refused(404, "no exchange", () -> another.exchangeDeclarePassive(id + "up"));
    }

    @Test
    void whatIsDurableOnBothEndsIsThereAfterARestart(@TempDir Path own) throws Exception {
        TestBroker second = new TestBroker(own);
        try (Connection before = factory(second.port()).newConnection()) {
            Channel c = before.createChannel();
            c.exchangeDeclare("kept", "headers", true, false, Map.of("alternate-exchange", "spill"));
            c.exchangeDeclare("spill", "x-consistent-hash", true, false, Map.of("hash-header", "h"));
            c.exchangeDeclare("lost", "fanout", false);
            c.queueDeclare("durable", true, false, false, null);
            c.queueDeclare("spilled", true, false, false, null);
            c.queueBind("durable", "kept", "", table("a", 1, "b", new byte[] {(byte) 0xfe}));
            c.queueBind("spilled", "spill", "3");
            c.exchangeBind("kept", "lost", "");
        }
        second.close();
        second = new TestBroker(own);
        try (Connection after = factory(second.port()).newConnection()) {
            Channel c = after.createChannel();
            c.confirmSelect();
            Map<String, Object> headers = table("a", 1L, "b", new byte[] {(byte) 0xfe});
            c.basicPublish(
                    "kept",
                    "",
                    new AMQP.BasicProperties.Builder().headers(headers).build(),
                    "m".getBytes(UTF_8));
            c.basicPublish("kept", "", null, "other".getBytes(UTF_8));
            c.waitForConfirmsOrDie(10_000);
            assertThat(c.basicGet("durable", true).getBody()).isEqualTo("m".getBytes(UTF_8));
            assertThat(c.basicGet("spilled", true).getBody()).isEqualTo("other".getBytes(UTF_8));
            refused(404, "no exchange 'lost'", () -> c.exchangeDeclarePassive("lost"));
        }
        second.close();
    }
}
