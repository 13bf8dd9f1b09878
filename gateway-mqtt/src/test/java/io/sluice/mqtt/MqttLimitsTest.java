package io.sluice.mqtt;

import static io.sluice.mqtt.RawClient.connect3;
import static io.sluice.mqtt.RawClient.connect5;
import static io.sluice.mqtt.RawClient.hex2;
import static io.sluice.mqtt.RawClient.packet;
import static io.sluice.mqtt.RawClient.string;
import static io.sluice.mqtt.RawClient.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.sluice.log.Durability;
import io.sluice.routing.catalog.RoutingBroker;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every limit of {@link MqttSettings}: what happens at it and beyond it, in the protocol's own words. */
class MqttLimitsTest {
    /** Receive maximum 4, 3 sent at a time, 4 aliases, 8 connections, 3 sessions, 5 subscriptions, 10 queued, 20 pending. */
    private static final MqttSettings SETTINGS = new MqttSettings(
            64 * 1024, 1024, 1000, 4, 3, 4, 65_535, 8, 3, 5, 10, 20, 1 << 20, 1 << 22, Durability.GROUP);

    private static final String FOREVER = "11ffffffff";

    @TempDir
    private Path directory;

    private TestCore core;
    private RoutingBroker broker;
    private TestServer server;
    private final List<AutoCloseable> clients = new ArrayList<>();

    @BeforeEach
    void open() {
        core = new TestCore(directory);
        broker = core.broker();
        server = new TestServer(broker, SETTINGS);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable client : clients) {
            client.close();
        }
        server.close();
        broker.close();
        core.close();
    }

    @Test
    void packetsUpToTheLimitPassAndOneByteMoreEndsTheConnection() throws Exception {
        RawClient reader = keep(connect3(server.port, "r", true));
        assertThat(reader.subscribe(false, "t", 0)).isZero();
        RawClient writer = keep(connect5(server.port, "w", true, ""));
        int most = 64 * 1024 - 4 - 4; // fixed header of 4 bytes, topic, no properties
        writer.publish5("t", 0, 0, "", "x".repeat(most));
        assertThat(reader.packet()).hasSize(2 * (64 * 1024 - 1)); // MQTT 3.1.1 has no property length
        writer.publish5("t", 0, 0, "", "x".repeat(most + 1));
        assertThat(writer.rest()).isEqualTo("e00195");
    }

    @Test
    void aClientIsNotSentPacketsLargerThanItTakes() throws Exception {
        // two of each kind, so that the encoding that subscribers share is tried as well
        List<RawClient> small = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            RawClient client = keep(connect5(server.port, "s" + i, true, "27" + "00000014")); // at most 20 bytes
            assertThat(client.subscribe(true, "t", i)).isEqualTo(i);
            small.add(client);
        }
        RawClient large = keep(connect5(server.port, "l", true, ""));
        assertThat(large.subscribe(true, "t", 1)).isEqualTo(1);
        RawClient writer = keep(connect3(server.port, "w", true));
        long before = server.gateway.dropped();
        for (int qos = 0; qos < 2; qos++) {
            writer.publish3("t", qos, 1, "x".repeat(30));
            writer.publish3("t", qos, 2, "small");
        }
        for (RawClient client : small) {
            assertThat(client.packet()).endsWith(text("small"));
            assertThat(client.packet()).endsWith(text("small"));
            client.ping();
        }
        assertThat(large.packet()).endsWith(text("xxx"));
        assertThat(server.gateway.dropped() - before).isEqualTo(4);
    }

    @Test
    void moreUnacknowledgedPublishesThanTheReceiveMaximumEndTheConnection() throws Exception {
        RawClient writer = keep(connect5(server.port, "w", true, ""));
        RawClient taker = keep(connect5(server.port, "durable", false, FOREVER));
        assertThat(taker.subscribe(true, "t", 1)).isEqualTo(1);
        StringBuilder burst = new StringBuilder();
        for (int i = 1; i <= 5; i++) {
            burst.append(packet(0x32, string("t") + hex2(i) + "00"));
        }
        writer.send(burst.toString());
        assertThat(writer.rest()).endsWith("e00193");
    }

    @Test
    void aClientGetsNoMoreUnacknowledgedThanItsReceiveMaximum() throws Exception {
        RawClient reader = keep(connect5(server.port, "r", true, "21" + "0002"));
        assertThat(reader.subscribe(true, "t", 1)).isEqualTo(1);
        RawClient writer = keep(connect3(server.port, "w", true));
        for (int i = 1; i <= 4; i++) {
            writer.publish3("t", 1, i, "m" + i);
            assertThat(writer.packet()).isEqualTo("4002" + hex2(i));
        }
        assertThat(reader.packet()).endsWith(text("m1"));
        assertThat(reader.packet()).endsWith(text("m2"));
        reader.ping(); // nothing more is on its way
        reader.send("4002" + "0001");
        assertThat(reader.packet()).endsWith(text("m3"));
        reader.send("4002" + "0002" + "4002" + "0003");
        assertThat(reader.packet()).endsWith(text("m4"));
        assertThat(server.gateway.pendingBytes()).isZero();
    }

    @Test
    void theServersOwnWindowHoldsForClientsThatNameNone() throws Exception {
        RawClient reader = keep(connect3(server.port, "r", true));
        assertThat(reader.subscribe(false, "t", 1)).isEqualTo(1);
        RawClient writer = keep(connect3(server.port, "w", true));
        for (int i = 1; i <= 5; i++) {
            writer.publish3("t", 1, i, "m" + i);
            writer.packet();
        }
        for (int i = 1; i <= 3; i++) {
            assertThat(reader.packet()).endsWith(text("m" + i));
        }
        reader.ping();
        reader.send("4002" + "0003"); // acknowledgements may come in any order
        assertThat(reader.packet()).endsWith(text("m4"));
    }

    @Test
    void topicAliasesStandForTheirTopicAndAreForgottenWithTheConnection() throws Exception {
        RawClient reader = keep(connect3(server.port, "r", true));
        assertThat(reader.subscribe(false, "#", 0)).isZero();
        RawClient writer = keep(connect5(server.port, "w", true, ""));
        writer.publish5("first", 0, 0, "23" + "0004", "1");
        writer.publish5("", 0, 0, "23" + "0004", "2");
        writer.publish5("second", 0, 0, "23" + "0004", "3");
        writer.publish5("", 0, 0, "23" + "0004", "4");
        for (String expected : List.of("first1", "first2", "second3", "second4")) {
            assertThat(reader.packet()).endsWith(text(expected));
        }
        RawClient again = keep(connect5(server.port, "w", true, ""));
        again.publish5("", 0, 0, "23" + "0004", "5");
        assertThat(again.rest()).isEqualTo("e00182");
    }

    @Test
    void subscriptionsBeyondTheLimitAreRefusedOneByOne() throws Exception {
        RawClient five = keep(connect5(server.port, "five", true, ""));
        for (int i = 0; i < 5; i++) {
            assertThat(five.subscribe(true, "t/" + i, 1)).isEqualTo(1);
        }
        assertThat(five.subscribe(true, "t/5", 1)).isEqualTo(0x97);
        assertThat(five.subscribe(true, "t/4", 0)).isZero(); // replaces one
        RawClient three = keep(connect3(server.port, "three", true));
        for (int i = 0; i < 5; i++) {
            assertThat(three.subscribe(false, "t/" + i, 1)).isEqualTo(1);
        }
        assertThat(three.subscribe(false, "t/5", 1)).isEqualTo(0x80);
        three.send(packet(0xA2, "0002" + string("t/0")));
        assertThat(three.packet()).isEqualTo("b0020002");
        assertThat(three.subscribe(false, "t/5", 1)).isEqualTo(1);
    }

    @Test
    void sessionsBeyondTheLimitAreRefusedUntilOneEnds() throws Exception {
        for (int i = 0; i < 3; i++) {
            connect5(server.port, "d" + i, false, FOREVER).close();
        }
        await().until(() -> server.gateway.durableSessions() == 3);
        RawClient five = keep(new RawClient(server.port));
        five.send(packet(0x10, "00044d515454" + "05" + "00" + "0000" + "05" + FOREVER + string("d3")));
        assertThat(five.rest()).isEqualTo("2003009700");
        RawClient three = keep(new RawClient(server.port));
        three.send(packet(0x10, "00044d515454" + "04" + "00" + "0000" + string("d3")));
        assertThat(three.rest()).isEqualTo("20020003");
        // a known one comes back, a clean one needs no place
        keep(connect5(server.port, "clean", true, "")).ping();
        RawClient back = keep(connect5(server.port, "d0", true, ""));
        back.ping();
        await().until(() -> server.gateway.durableSessions() == 2);
        keep(connect5(server.port, "d3", false, FOREVER)).ping();
    }

    @Test
    void connectionsBeyondTheLimitAreRefusedButATakeOverIsNot() throws Exception {
        for (int i = 0; i < 8; i++) {
            keep(connect3(server.port, "c" + i, true)).ping();
        }
        RawClient ninth = keep(new RawClient(server.port));
        ninth.send(packet(0x10, "00044d515454" + "05" + "02" + "0000" + "00" + string("c8")));
        assertThat(ninth.rest()).isEqualTo("2003009700");
        keep(connect3(server.port, "c7", true)).ping();
    }

    @Test
    void sessionsExpireAndTheirQueuesGo() throws Exception {
        RawClient short1 = connect5(server.port, "short", false, "11" + "00000001");
        assertThat(short1.subscribe(true, "t", 1)).isEqualTo(1);
        short1.close();
        await().until(() -> server.gateway.durableSessions() == 0);
        RawClient again = keep(new RawClient(server.port));
        again.send(packet(0x10, "00044d515454" + "05" + "00" + "0000" + "05" + FOREVER + string("short")));
        assertThat(again.packet()).startsWith("2018" + "00"); // no session present
    }

    @Test
    void aDisconnectMayChangeTheExpiryButNotRaiseItFromZero() throws Exception {
        RawClient kept = keep(connect5(server.port, "kept", false, FOREVER));
        kept.send(packet(0xE0, "00" + "05" + "11" + "00000000"));
        assertThat(kept.rest()).isEmpty();
        await().until(() -> server.gateway.durableSessions() == 0);
        RawClient clean = keep(connect5(server.port, "clean", true, ""));
        clean.send(packet(0xE0, "00" + "05" + "11" + "00000005"));
        assertThat(clean.rest()).isEqualTo("e00182");
    }

    @Test
    void topicsOfTheBrokerAreNotPublishedTo() throws Exception {
        RawClient reader = keep(connect3(server.port, "r", true));
        assertThat(reader.subscribe(false, "$SYS/#", 0)).isZero();
        RawClient five = keep(connect5(server.port, "five", true, ""));
        five.publish5("$SYS/broker/version", 1, 1, "", "forged");
        assertThat(five.packet()).isEqualTo("4003" + "0001" + "90");
        five.publish5("$delayed/5/t", 0, 0, "", "later");
        five.ping();
        RawClient three = keep(connect3(server.port, "three", true));
        three.publish3("$SYS/x", 1, 1, "forged");
        assertThat(three.packet()).isEqualTo("40020001"); // 3.1.1 knows no refusal
        reader.ping();
        RawClient will = keep(new RawClient(server.port));
        will.send(packet(
                0x10, "00044d515454" + "05" + "06" + "0000" + "00" + string("w") + "00" + string("$SYS/x") + "0000"));
        assertThat(will.rest()).isEqualTo("2003009000");
    }

    @Test
    void aWillThatMayNotBePublishedIsRefusedWithItsConnect() throws Exception {
        RawClient will = keep(new RawClient(server.port));
        will.send(packet(
                0x10, "00044d515454" + "05" + "06" + "0000" + "00" + string("w") + "00" + string("secret/x") + "0000"));
        assertThat(will.rest()).isEqualTo("2003008700");
    }

    @Test
    void theServersKeepAliveBoundsThoseWhoAskForMoreOrNone() throws Exception {
        MqttSettings strict = new MqttSettings(
                64 * 1024, 1024, 1000, 4, 3, 4, 1, 8, 3, 5, 10, 20, 1 << 20, 1 << 22, Durability.GROUP);
        try (TestServer bounded = new TestServer(broker, strict)) {
            RawClient silent = keep(new RawClient(bounded.port));
            silent.send(packet(0x10, "00044d515454" + "05" + "02" + "0000" + "00" + string("silent")));
            assertThat(silent.packet()).endsWith("13" + "0001"); // server keep-alive
            RawClient talking = keep(new RawClient(bounded.port));
            talking.send(packet(0x10, "00044d515454" + "05" + "02" + "003c" + "00" + string("talking")));
            assertThat(talking.packet()).endsWith("13" + "0001");
            RawClient old = keep(connect3(bounded.port, "old", true)); // MQTT 3.1.1 cannot be told
            while (silent.socket().getInputStream().available() == 0) {
                talking.ping();
                old.ping();
            }
            assertThat(silent.rest()).isEqualTo("e0018d");
            talking.ping();
            old.ping();
        }
    }

    @Test
    void aMessageThatExpiresBeforeItsTurnIsDropped() throws Exception {
        RawClient reader = keep(connect5(server.port, "r", true, "21" + "0001"));
        assertThat(reader.subscribe(true, "t", 1)).isEqualTo(1);
        RawClient writer = keep(connect5(server.port, "w", true, ""));
        writer.publish5("t", 1, 1, "", "keeps the window");
        writer.packet();
        writer.publish5("t", 1, 2, "02" + "00000001", "short-lived");
        writer.packet();
        writer.publish5("t", 1, 3, "02" + "0000003c", "lives a minute");
        writer.packet();
        assertThat(reader.packet()).endsWith(text("keeps the window"));
        long before = server.gateway.dropped();
        long since = System.nanoTime();
        await().until(() -> System.nanoTime() - since > 1_100_000_000L);
        reader.send("4002" + "0001");
        String last = reader.packet();
        assertThat(last).endsWith(text("lives a minute"));
        int at = last.indexOf("02000000"); // the interval it has left, rounded up
        assertThat(Integer.parseInt(last.substring(at + 2, at + 10), 16)).isBetween(55, 60);
        assertThat(server.gateway.dropped() - before).isEqualTo(1);
    }

    @Test
    void anOfflineSessionHoldsABoundedNumberOfMessages() throws Exception {
        RawClient sleeper = connect3(server.port, "sleeper", false);
        assertThat(sleeper.subscribe(false, "t", 1)).isEqualTo(1);
        sleeper.close();
        RawClient writer = keep(connect3(server.port, "w", true));
        long before = server.gateway.dropped();
        try (LogWatch log = new LogWatch()) {
            for (int i = 1; i <= 14; i++) {
                writer.publish3("t", 1, i, "m" + i);
                assertThat(writer.packet()).isEqualTo("4002" + hex2(i));
            }
            assertThat(log.containing("the limit; what is published meanwhile is not queued"))
                    .hasSize(1);
        }
        assertThat(server.gateway.dropped() - before).isEqualTo(4);
        RawClient back = keep(connect3(server.port, "sleeper", false));
        for (int i = 1; i <= 10; i++) {
            assertThat(back.packet()).endsWith(text("m" + i));
            back.send("4002" + hex2(i));
        }
        back.ping();
    }

    @Test
    void aSlowSubscriberLosesQos0AndOthersDoNot() throws Exception {
        RawClient slow = keep(connect3(server.port, "slow", true));
        assertThat(slow.subscribe(false, "t", 0)).isZero();
        RawClient fast = keep(connect3(server.port, "fast", true));
        assertThat(fast.subscribe(false, "t", 0)).isZero();
        RawClient writer = keep(connect3(server.port, "w", true));
        long before = server.gateway.dropped();
        String large = "x".repeat(32 * 1024);
        int sent = 0;
        try (LogWatch log = new LogWatch()) {
            while (server.gateway.dropped() - before < 5 && sent < 2000) {
                writer.publish3("t", 0, 0, large);
                fast.packet();
                sent++;
            }
            assertThat(log.containing("MQTT session slow is too slow")).hasSize(1);
        }
        assertThat(server.gateway.dropped() - before).isGreaterThanOrEqualTo(5);
        assertThat(server.gateway.pendingBytes()).isPositive().isLessThanOrEqualTo(1 << 20);
        // what was kept comes in order once it reads again, then it is whole again
        // the drop of the last one may not be counted yet: it is by the time that it would be the next to read
        for (long kept = 0; kept + server.gateway.dropped() - before < sent; kept++) {
            assertThat(slow.packet()).hasSize(2 * (4 + 3 + 32 * 1024));
        }
        slow.ping();
        assertThat(server.gateway.pendingBytes()).isZero();
        writer.publish3("t", 0, 0, "last");
        assertThat(slow.packet()).endsWith(text("last"));
    }

    private RawClient keep(RawClient client) {
        clients.add(client);
        return client;
    }
}
