package io.sluice.mqtt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5Client;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5ConnAckException;
import com.hivemq.client.mqtt.mqtt5.message.connect.connack.Mqtt5ConnAck;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import io.sluice.routing.catalog.RoutingBroker;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** HiveMQ's client (5.0) and Paho (3.1.1) against the gateway on real routing. */
class MqttClientsTest {
    @TempDir
    private Path directory;

    private TestCore core;
    private RoutingBroker broker;
    private TestServer server;

    @BeforeEach
    void open() {
        core = new TestCore(directory);
        broker = core.broker();
        server = new TestServer(broker, MqttSettings.DEFAULT);
    }

    @AfterEach
    void close() {
        server.close();
        broker.close();
        core.close();
    }

    @Test
    void carriesEveryPropertyBetweenMqtt5Clients() throws Exception {
        Mqtt5BlockingClient subscriber = hive("sub");
        Mqtt5BlockingClient publisher = hive("pub");
        List<Mqtt5Publish> got = receive(subscriber);
        subscriber.connect();
        subscriber
                .subscribeWith()
                .topicFilter("sensors/+/temp")
                .qos(MqttQos.EXACTLY_ONCE)
                .send();
        publisher.connect();
        publisher.publish(full("sensors/7/temp"));
        await().until(() -> got.size() == 1);
        assertSame(got.get(0), full("sensors/7/temp"));
        subscriber.disconnect();
        publisher.disconnect();
    }

    @Test
    void carriesEveryPropertyThroughTheQueueOfADurableSession() throws Exception {
        Mqtt5BlockingClient first = hive("sub");
        first.connectWith().cleanStart(false).sessionExpiryInterval(3600).send();
        first.subscribeWith()
                .topicFilter("sensors/#")
                .qos(MqttQos.AT_LEAST_ONCE)
                .send();
        first.disconnect();
        Mqtt5BlockingClient publisher = hive("pub");
        publisher.connect();
        publisher.publish(full("sensors/7/temp"));
        for (int i = 0; i < 100; i++) {
            publisher
                    .publishWith()
                    .topic("sensors/n")
                    .qos(MqttQos.AT_LEAST_ONCE)
                    .payload(("" + i).getBytes(UTF_8))
                    .send();
        }
        Mqtt5BlockingClient second = hive("sub");
        List<Mqtt5Publish> got = receive(second);
        Mqtt5ConnAck ack = second.connectWith()
                .cleanStart(false)
                .sessionExpiryInterval(3600)
                .restrictions()
                .receiveMaximum(5)
                .applyRestrictions()
                .send();
        assertThat(ack.isSessionPresent()).isTrue();
        await().until(() -> got.size() == 101);
        assertSame(got.get(0), full("sensors/7/temp"));
        for (int i = 0; i < 100; i++) {
            assertThat(new String(got.get(i + 1).getPayloadAsBytes(), UTF_8)).isEqualTo("" + i);
        }
        second.disconnectWith().sessionExpiryInterval(0).send();
        await().until(() -> server.gateway.durableSessions() == 0);
        publisher.disconnect();
    }

    @Test
    void mqtt311AndMqtt5ReachEachOther() throws Exception {
        try (MqttClient paho = new MqttClient("tcp://127.0.0.1:" + server.port, "old", new MemoryPersistence())) {
            List<String> old = new CopyOnWriteArrayList<>();
            paho.connect();
            paho.subscribe("a/#", 1, (topic, m) -> old.add(topic + "=" + m + "/" + m.getQos()));
            Mqtt5BlockingClient hive = hive("new");
            List<Mqtt5Publish> got = receive(hive);
            hive.connect();
            hive.subscribeWith()
                    .topicFilter("a/b")
                    .qos(MqttQos.AT_MOST_ONCE)
                    .noLocal(true)
                    .send();
            hive.publishWith()
                    .topic("a/b")
                    .qos(MqttQos.AT_LEAST_ONCE)
                    .payload("one".getBytes(UTF_8))
                    .send();
            MqttMessage two = new MqttMessage("two".getBytes(UTF_8));
            two.setQos(1);
            paho.publish("a/b", two);
            await().until(() -> old.size() == 2 && got.size() == 1);
            assertThat(old).containsExactly("a/b=one/1", "a/b=two/1");
            assertThat(got.get(0).getPayloadAsBytes()).isEqualTo("two".getBytes(UTF_8));
            assertThat(got.get(0).getQos()).isEqualTo(MqttQos.AT_MOST_ONCE);
            hive.disconnect();
            paho.disconnect();
        }
    }

    @Test
    void moreMessagesThanTheWindowArriveInOrder() throws Exception {
        Mqtt5BlockingClient subscriber = hive("sub");
        List<Mqtt5Publish> got = receive(subscriber);
        subscriber
                .connectWith()
                .restrictions()
                .receiveMaximum(3)
                .applyRestrictions()
                .send();
        subscriber.subscribeWith().topicFilter("n").qos(MqttQos.AT_LEAST_ONCE).send();
        Mqtt5BlockingClient publisher = hive("pub");
        publisher.connect();
        int count = 2000;
        for (int i = 0; i < count; i++) {
            publisher
                    .toAsync()
                    .publishWith()
                    .topic("n")
                    .qos(MqttQos.AT_LEAST_ONCE)
                    .payload(("" + i).getBytes(UTF_8))
                    .send();
        }
        await().atMost(Duration.ofSeconds(20)).until(() -> got.size() == count);
        for (int i = 0; i < count; i++) {
            assertThat(new String(got.get(i).getPayloadAsBytes(), UTF_8)).isEqualTo("" + i);
        }
        assertThat(server.gateway.pendingBytes()).isZero();
        subscriber.disconnect();
        publisher.disconnect();
    }

    @Test
    void largePayloadsPass() throws Exception {
        Mqtt5BlockingClient client = hive("big");
        List<Mqtt5Publish> got = receive(client);
        client.connect();
        client.subscribeWith().topicFilter("big").qos(MqttQos.AT_LEAST_ONCE).send();
        byte[] payload = new byte[1_000_000];
        java.util.Arrays.fill(payload, (byte) 7);
        client.publishWith()
                .topic("big")
                .qos(MqttQos.AT_LEAST_ONCE)
                .payload(payload)
                .send();
        await().until(() -> got.size() == 1);
        assertThat(got.get(0).getPayloadAsBytes()).isEqualTo(payload);
        client.disconnect();
    }

    @Test
    void willIsDelayedAndCancelledByAResume() throws Exception {
        Mqtt5BlockingClient watcher = hive("watcher");
        List<Mqtt5Publish> got = receive(watcher);
        watcher.connect();
        watcher.subscribeWith().topicFilter("will/#").qos(MqttQos.AT_LEAST_ONCE).send();
        for (String id : List.of("resumed", "gone")) {
            Mqtt5BlockingClient client = hive(id);
            client.connectWith()
                    .sessionExpiryInterval(60)
                    .willPublish()
                    .topic("will/" + id)
                    .qos(MqttQos.AT_LEAST_ONCE)
                    .payload("bye".getBytes(UTF_8))
                    .delayInterval(1)
                    .applyWillPublish()
                    .send();
            client.disconnectWith()
                    .reasonCode(
                            com.hivemq.client.mqtt.mqtt5.message.disconnect.Mqtt5DisconnectReasonCode
                                    .DISCONNECT_WITH_WILL_MESSAGE)
                    .send();
        }
        Mqtt5BlockingClient back = hive("resumed");
        back.connectWith().cleanStart(false).sessionExpiryInterval(60).send();
        await().until(() -> !got.isEmpty());
        assertThat(got.get(0).getTopic().toString()).isEqualTo("will/gone");
        assertThat(got).hasSize(1);
        back.disconnect();
        watcher.disconnect();
    }

    @Test
    void refusesBadCredentialsAndAssignsIds() {
        assertThatThrownBy(() -> hive("x")
                        .connectWith()
                        .simpleAuth()
                        .username("wrong")
                        .applySimpleAuth()
                        .send())
                .isInstanceOfSatisfying(
                        Mqtt5ConnAckException.class,
                        e -> assertThat(e.getMqttMessage().getReasonCode().getCode())
                                .isEqualTo(0x86));
        Mqtt5BlockingClient nameless = Mqtt5Client.builder()
                .serverHost("127.0.0.1")
                .serverPort(server.port)
                .buildBlocking();
        Mqtt5ConnAck ack = nameless.connect();
        assertThat(ack.getAssignedClientIdentifier()).isPresent();
        assertThat(ack.getRestrictions().getMaximumQos()).isEqualTo(MqttQos.AT_LEAST_ONCE);
        assertThat(ack.getRestrictions().isSharedSubscriptionAvailable()).isFalse();
        nameless.disconnect();
    }

    @Test
    void pahoPersistentSessionComesBack() throws Exception {
        MqttConnectOptions persistent = new MqttConnectOptions();
        persistent.setCleanSession(false);
        String url = "tcp://127.0.0.1:" + server.port;
        try (MqttClient client = new MqttClient(url, "p", new MemoryPersistence())) {
            client.connect(persistent);
            client.subscribe("q", 1);
            client.disconnect();
        }
        try (MqttClient other = new MqttClient(url, "o", new MemoryPersistence())) {
            other.connect();
            other.publish("q", "kept".getBytes(UTF_8), 1, false);
            other.disconnect();
        }
        List<String> got = new CopyOnWriteArrayList<>();
        try (MqttClient client = new MqttClient(url, "p", new MemoryPersistence())) {
            client.setCallback(new org.eclipse.paho.client.mqttv3.MqttCallback() {
                @Override
                public void connectionLost(Throwable cause) {}

                @Override
                public void messageArrived(String topic, MqttMessage m) {
                    got.add(topic + "=" + m);
                }

                @Override
                public void deliveryComplete(org.eclipse.paho.client.mqttv3.IMqttDeliveryToken token) {}
            });
            client.connect(persistent);
            await().until(() -> got.size() == 1);
            assertThat(got).containsExactly("q=kept");
            client.disconnect();
        }
    }

    private static Mqtt5Publish full(String topic) {
        return Mqtt5Publish.builder()
                .topic(topic)
                .qos(MqttQos.AT_LEAST_ONCE)
                .payload("21.5".getBytes(UTF_8))
                .payloadFormatIndicator(com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5PayloadFormatIndicator.UTF_8)
                .messageExpiryInterval(100)
                .contentType("text/plain")
                .responseTopic("re/ply.x")
                .correlationData(new byte[] {0, (byte) 0xFF, 3})
                .userProperties()
                .add("k", "v1")
                .add("k", "v2")
                .add("x-priority", "07")
                .add("x-priority", "7")
                .add("x-priority", "8")
                .add("traceparent", "00-1-2-01")
                .applyUserProperties()
                .build();
    }

    private static void assertSame(Mqtt5Publish got, Mqtt5Publish sent) {
        assertThat(got.getTopic()).isEqualTo(sent.getTopic());
        assertThat(got.getQos()).isEqualTo(sent.getQos());
        assertThat(got.getPayloadAsBytes()).isEqualTo(sent.getPayloadAsBytes());
        assertThat(got.getPayloadFormatIndicator()).isEqualTo(sent.getPayloadFormatIndicator());
        assertThat(got.getContentType()).isEqualTo(sent.getContentType());
        assertThat(got.getResponseTopic()).isEqualTo(sent.getResponseTopic());
        assertThat(got.getCorrelationData()).isEqualTo(sent.getCorrelationData());
        assertThat(got.getUserProperties()).isEqualTo(sent.getUserProperties());
        assertThat(got.getMessageExpiryInterval().orElse(0)).isBetween(90L, 100L);
    }

    private static List<Mqtt5Publish> receive(Mqtt5BlockingClient client) {
        List<Mqtt5Publish> got = new CopyOnWriteArrayList<>();
        Consumer<Mqtt5Publish> add = got::add;
        client.toAsync().publishes(com.hivemq.client.mqtt.MqttGlobalPublishFilter.ALL, add);
        return got;
    }

    private Mqtt5BlockingClient hive(String id) {
        return Mqtt5Client.builder()
                .identifier(id)
                .serverHost("127.0.0.1")
                .serverPort(server.port)
                .buildBlocking();
    }
}
