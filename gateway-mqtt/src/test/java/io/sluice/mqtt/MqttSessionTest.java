package io.sluice.mqtt;

import static io.sluice.mqtt.RawClient.connect3;
import static io.sluice.mqtt.RawClient.connect5;
import static io.sluice.mqtt.RawClient.hex2;
import static io.sluice.mqtt.RawClient.packet;
import static io.sluice.mqtt.RawClient.string;
import static io.sluice.mqtt.RawClient.text;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5Client;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions, subscription options, retained messages and wills on the real log, over restarts of the broker. */
class MqttSessionTest {
    private static final String FOREVER = "11ffffffff";
    private static final int NO_LOCAL = 4;
    private static final int RETAIN_AS_PUBLISHED = 8;

    @TempDir
    Path directory;

    private RealBroker node;
    private final List<AutoCloseable> clients = new ArrayList<>();

    @BeforeEach
    void open() {
        node = new RealBroker(directory);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable client : clients) {
            client.close();
        }
        node.close();
    }

    private void restart() {
        node.close();
        node = new RealBroker(directory);
    }

    @Test
    void cleanStartEndsTheSessionAndATakeOverKeepsIt() throws Exception {
        RawClient first = keep(connect5(node.port(), "c", false, FOREVER));
        assertThat(first.subscribe(true, "t", 1)).isEqualTo(1);
        RawClient writer = keep(connect3(node.port(), "w", true));
        publishConfirmed(writer, "t", "one");
        assertThat(first.packet()).endsWith(text("one"));
        RawClient second = keep(new RawClient(node.port()));
        second.send(connect("c", false));
        assertThat(first.rest()).isEqualTo("e0018e");
        assertThat(second.packet()).startsWith("2018" + "01"); // session present
        assertThat(second.packet()).startsWith("3a").endsWith(text("one")); // again, with DUP
        second.close();
        publishConfirmed(writer, "t", "two");
        RawClient third = keep(new RawClient(node.port()));
        third.send(connect("c", true));
        assertThat(third.packet()).startsWith("2018" + "00");
        publishConfirmed(writer, "t", "three");
        third.ping(); // neither messages nor the subscription are left
    }

    @Test
    void retainHandlingSaysWhenRetainedMessagesAreSent() throws Exception {
        RawClient writer = keep(connect3(node.port(), "w", true));
        writer.send(packet(0x33, string("r/a") + "0001" + text("kept")));
        assertThat(writer.packet()).isEqualTo("40020001");
        RawClient reader = keep(connect5(node.port(), "r", true, ""));
        // 0: at every subscribe
        for (int i = 0; i < 2; i++) {
            assertThat(reader.subscribe(true, "r/+", 0)).isZero();
            assertThat(reader.packet()).startsWith("31").endsWith(text("kept"));
        }
        // 1: only if the subscription is new
        assertThat(reader.subscribe(true, "r/+", 0x10)).isZero();
        reader.ping();
        assertThat(reader.subscribe(true, "r/a", 0x10)).isZero();
        assertThat(reader.packet()).startsWith("31").endsWith(text("kept"));
        // 2: never
        assertThat(reader.subscribe(true, "r/#", 0x20)).isZero();
        reader.ping();
    }

    @Test
    void retainIsPassedOnOnlyToThoseWhoAskForIt() throws Exception {
        RawClient plain = keep(connect5(node.port(), "plain", true, ""));
        assertThat(plain.subscribe(true, "r", 1)).isEqualTo(1);
        RawClient asks = keep(connect5(node.port(), "asks", true, ""));
        assertThat(asks.subscribe(true, "r", 1 | RETAIN_AS_PUBLISHED)).isEqualTo(1);
        RawClient durable = keep(connect5(node.port(), "durable", false, FOREVER));
        assertThat(durable.subscribe(true, "r", 1 | RETAIN_AS_PUBLISHED)).isEqualTo(1);
        RawClient writer = keep(connect3(node.port(), "w", true));
        writer.send(packet(0x33, string("r") + "0001" + text("x")));
        assertThat(writer.packet()).isEqualTo("40020001");
        assertThat(plain.packet()).startsWith("32");
        assertThat(asks.packet()).startsWith("33");
        assertThat(durable.packet()).startsWith("33");
        writer.send(packet(0x31, string("r") + text("y")));
        assertThat(plain.packet()).startsWith("30");
        assertThat(asks.packet()).startsWith("31");
    }

    @Test
    void anEmptyRetainedMessageClearsItsTopicAlsoOverARestart() throws Exception {
        RawClient writer = keep(connect3(node.port(), "w", true));
        for (String payload : List.of("one", "")) {
            writer.send(packet(0x33, string("r/gone") + "0001" + text(payload)));
            assertThat(writer.packet()).isEqualTo("40020001");
        }
        writer.send(packet(0x33, string("r/stays") + "0001" + text("two")));
        assertThat(writer.packet()).isEqualTo("40020001");
        for (int round = 0; round < 2; round++) {
            RawClient reader = keep(connect3(node.port(), "r", true));
            assertThat(reader.subscribe(false, "r/#", 1)).isEqualTo(1);
            assertThat(reader.packet()).startsWith("33").endsWith(text("two"));
            reader.ping();
            if (round == 0) {
                restart();
            }
        }
    }

    @Test
    void noLocalKeepsOwnMessagesAwayFromCleanAndDurableSessions() throws Exception {
        for (boolean durable : List.of(false, true)) {
            RawClient own = keep(connect5(node.port(), "own" + durable, !durable, durable ? FOREVER : ""));
            assertThat(own.subscribe(true, "t", 1 | NO_LOCAL)).isEqualTo(1);
            own.publish5("t", 1, 1, "", "mine");
            assertThat(own.packet()).isEqualTo("40020001");
            own.publish5("t", 0, 0, "", "mine too");
            own.ping();
            RawClient other = keep(connect3(node.port(), "other", true));
            publishConfirmed(other, "t", "yours");
            assertThat(own.packet()).endsWith(text("yours"));
        }
    }

    @Test
    void subscriptionIdentifiersOfAllMatchesComeWithTheMessageAlsoAfterARestart() throws Exception {
        RawClient clean = keep(connect5(node.port(), "clean", true, ""));
        RawClient durable = keep(connect5(node.port(), "durable", false, FOREVER));
        for (RawClient client : List.of(clean, durable)) {
            client.send(packet(0x82, "0001" + "02" + "0b07" + string("a/+") + "01"));
            assertThat(client.packet()).endsWith("01");
            client.send(packet(0x82, "0002" + "03" + "0b8001" + string("a/#") + "00"));
            assertThat(client.packet()).endsWith("00");
        }
        RawClient writer = keep(connect3(node.port(), "w", true));
        publishConfirmed(writer, "a/b", "x");
        for (RawClient client : List.of(clean, durable)) {
            assertThat(client.packet()).contains("0b07").contains("0b8001").startsWith("32");
        }
        durable.send("4002" + "0001");
        durable.ping();
        restart();
        RawClient again = keep(connect3(node.port(), "w", true));
        publishConfirmed(again, "a/c", "y");
        RawClient back = keep(connect5(node.port(), "durable", false, FOREVER));
        assertThat(back.packet()).contains("0b07").contains("0b8001").endsWith(text("y"));
    }

    @Test
    void aDelayedWillIsPublishedAfterARestartUnlessItsClientIsBack() throws Exception {
        RawClient watcher = keep(connect3(node.port(), "watcher", false));
        assertThat(watcher.subscribe(false, "will/#", 1)).isEqualTo(1);
        for (String id : List.of("gone", "back", "polite")) {
            RawClient client = keep(new RawClient(node.port()));
            client.send(willConnect(id, 1));
            assertThat(client.packet()).startsWith("2018" + "00");
            if (id.equals("polite")) {
                client.send("e000"); // a normal end: no will
                assertThat(client.rest()).isEmpty();
            }
        }
        restart(); // ends two connections
        RawClient back = keep(new RawClient(node.port()));
        back.send(connect("back", false));
        assertThat(back.packet()).startsWith("2018" + "01");
        RawClient watching = keep(connect3(node.port(), "watcher", false));
        assertThat(watching.packet()).contains(text("will/gone")).endsWith(text("bye"));
        watching.ping();
        await().until(() ->
                node.broker.virtualHost("/").sessions().all().stream().allMatch(s -> s.will() == null));
        restart();
        RawClient last = keep(connect3(node.port(), "watcher", false));
        assertThat(last.packet()).startsWith("3a"); // the one that was not acknowledged, and no second
        last.ping();
    }

    @Test
    void anUndelayedWillOfADurableSessionIsPublishedOnce() throws Exception {
        RawClient watcher = keep(connect3(node.port(), "watcher", true));
        assertThat(watcher.subscribe(false, "will/#", 1)).isEqualTo(1);
        RawClient client = keep(new RawClient(node.port()));
        client.send(willConnect("now", 0));
        assertThat(client.packet()).startsWith("2018");
        client.close();
        assertThat(watcher.packet()).contains(text("will/now"));
        await().until(() ->
                node.broker.virtualHost("/").sessions().all().stream().allMatch(s -> s.will() == null));
        watcher.ping();
    }

    @Test
    void offlineMessagesAndOptionsOfASubscriptionOutliveTheBroker() throws Exception {
        RawClient sleeper = keep(connect5(node.port(), "sleeper", false, FOREVER));
        assertThat(sleeper.subscribe(true, "q", 1 | NO_LOCAL | RETAIN_AS_PUBLISHED | 0x20))
                .isEqualTo(1);
        sleeper.close();
        RawClient writer = keep(connect3(node.port(), "w", true));
        for (int i = 1; i <= 20; i++) {
            publishConfirmed(writer, "q", "m" + i);
        }
        restart();
        var stored = node.broker.virtualHost("/").sessions().find("sleeper").subscriptions();
        assertThat(stored).hasSize(1);
        assertThat(stored.get(0).retainHandling()).isEqualTo(2);
        assertThat(stored.get(0).noLocal()).isTrue();
        assertThat(stored.get(0).retainAsPublished()).isTrue();
        RawClient back = keep(new RawClient(node.port()));
        back.send(connect("sleeper", false));
        assertThat(back.packet()).startsWith("2018" + "01");
        for (int i = 1; i <= 20; i++) {
            assertThat(back.packet()).endsWith(text("m" + i));
        }
        back.ping();
    }

    @Test
    void requestsAreAnsweredThroughTheResponseTopic() throws Exception {
        Mqtt5BlockingClient asker = hive("asker");
        Mqtt5BlockingClient answerer = hive("answerer");
        List<Mqtt5Publish> answers = new CopyOnWriteArrayList<>();
        asker.toAsync().publishes(MqttGlobalPublishFilter.ALL, answers::add);
        answerer.toAsync()
                .publishes(
                        MqttGlobalPublishFilter.ALL,
                        request -> answerer.toAsync()
                                .publishWith()
                                .topic(request.getResponseTopic().orElseThrow())
                                .qos(MqttQos.AT_LEAST_ONCE)
                                .correlationData(request.getCorrelationData().orElseThrow())
                                .userProperties(request.getUserProperties())
                                .payload("42".getBytes(UTF_8))
                                .send());
        asker.connect();
        answerer.connectWith().cleanStart(false).sessionExpiryInterval(60).send();
        asker.subscribeWith()
                .topicFilter("answers/asker")
                .qos(MqttQos.AT_LEAST_ONCE)
                .send();
        answerer.subscribeWith().topicFilter("ask").qos(MqttQos.AT_LEAST_ONCE).send();
        asker.publishWith()
                .topic("ask")
                .qos(MqttQos.AT_LEAST_ONCE)
                .responseTopic("answers/asker")
                .correlationData(new byte[] {0, 1, (byte) 0xFE})
                .userProperties()
                .add("k", "v")
                .add("k", "w")
                .applyUserProperties()
                .send();
        await().until(() -> answers.size() == 1);
        Mqtt5Publish answer = answers.get(0);
        assertThat(answer.getPayloadAsBytes()).isEqualTo("42".getBytes(UTF_8));
        assertThat(answer.getCorrelationData().orElseThrow().remaining()).isEqualTo(3);
        assertThat(answer.getUserProperties().asList()).hasSize(2);
        asker.disconnect();
        answerer.disconnect();
    }

    private static void publishConfirmed(RawClient writer, String topic, String payload) throws Exception {
        writer.publish3(topic, 1, 1, payload);
        assertThat(writer.packet()).isEqualTo("4002" + hex2(1));
    }

    private static String connect(String id, boolean cleanStart) {
        return packet(0x10, "00044d515454" + "05" + (cleanStart ? "02" : "00") + "0000" + "05" + FOREVER + string(id));
    }

    private static String willConnect(String id, int delaySeconds) {
        return packet(
                0x10,
                "00044d515454" + "05" + "0c" + "0000" + "05" + FOREVER + string(id) + "05" + "18" + "0000"
                        + hex2(delaySeconds) + string("will/" + id) + string("bye"));
    }

    private Mqtt5BlockingClient hive(String id) {
        return Mqtt5Client.builder()
                .identifier(id)
                .serverHost("127.0.0.1")
                .serverPort(node.port())
                .buildBlocking();
    }

    private RawClient keep(RawClient client) {
        clients.add(client);
        return client;
    }
}
