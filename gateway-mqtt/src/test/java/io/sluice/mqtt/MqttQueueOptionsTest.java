package io.sluice.mqtt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5Client;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5PubAckException;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5PublishBuilder;
import com.hivemq.client.mqtt.mqtt5.message.publish.puback.Mqtt5PubAckReasonCode;
import io.sluice.access.Caller;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.VirtualHost;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Expiry, priority and full queues as MQTT publishers meet them. */
@Timeout(60)
class MqttQueueOptionsTest {
    private static final Caller CALLER = Caller.broker("/");

    @TempDir
    private Path directory;

    private RealBroker real;
    private VirtualHost host;

    @BeforeEach
    void open() {
        real = new RealBroker(directory);
        host = real.broker.virtualHost("/");
    }

    @AfterEach
    void close() {
        real.close();
    }

    private Mqtt5BlockingClient client(String id) {
        return Mqtt5Client.builder()
                .identifier(id)
                .serverHost("127.0.0.1")
                .serverPort(real.port())
                .buildBlocking();
    }

    private static Mqtt5PublishBuilder.Complete message(String topic, String body) {
        return Mqtt5Publish.builder().topic(topic).qos(MqttQos.AT_LEAST_ONCE).payload(body.getBytes(UTF_8));
    }

    private QueueRef boundQueue(String name, QueuePolicy policy) throws Exception {
        QueueRef queue = host.declareQueue(CALLER, new QueueDeclaration(name, true, false, false, policy, Map.of()))
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
        host.bind(
                        CALLER,
                        new Binding(
                                new Binding.End(Binding.Kind.EXCHANGE, "amq.topic"),
                                new Binding.End(Binding.Kind.QUEUE, name),
                                "t." + name,
                                Map.of(),
                                Binding.Origin.CLIENT))
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
        return queue;
    }

    /** Consumes everything, noting body and canonical headers. */
    private static final class Sink implements DeliverySink {
        final List<String> got = new CopyOnWriteArrayList<>();
        private final RecordView record = new RecordView();

        @Override
        public Executor executor() {
            return Runnable::run;
        }

        @Override
        public void deliver(DeliveryBatch batch) {
            for (int i = 0; i < batch.size(); i++) {
                batch.record(i, record);
                StringBuilder text =
                        new StringBuilder(record.buffer().toString(record.valueStart(), record.valueLength(), UTF_8));
                record.rewindHeaders();
                while (record.nextHeader()) {
                    if (record.headerName().contains("priority")) {
                        text.append(' ').append(record.headerName()).append('=').append(record.headerAsLong(-1));
                    }
                }
                got.add(text.toString());
            }
            batch.release();
        }

        @Override
        public void closed(String reason) {}

        @Override
        public void failed(RuntimeException cause) {
            got.add(cause.toString());
        }
    }

    @Test
    void aMessageOfAnOfflineSessionExpiresInItsQueue() {
        Mqtt5BlockingClient sleeper = client("sleeper");
        sleeper.connectWith().cleanStart(false).sessionExpiryInterval(600).send();
        sleeper.subscribeWith().topicFilter("e/#").qos(MqttQos.AT_LEAST_ONCE).send();
        sleeper.disconnect();
        Mqtt5BlockingClient publisher = client("pub");
        publisher.connect();
        publisher.publish(message("e/1", "short").messageExpiryInterval(1).build());
        publisher.publish(message("e/1", "long").messageExpiryInterval(500).build());
        publisher.publish(message("e/1", "endless").build());
        QueueRef queue = host.sessions().find("sleeper").queue();
        await().until(() -> queue.stats().ready() == 3);
        await().until(() -> queue.stats().ready() == 2); // nobody is there to take them
        List<Mqtt5Publish> got = new CopyOnWriteArrayList<>();
        sleeper.toAsync().publishes(MqttGlobalPublishFilter.ALL, got::add);
        sleeper.connectWith().cleanStart(false).sessionExpiryInterval(0).send();
        await().until(() -> got.size() == 2);
        assertThat(got)
                .extracting(m -> new String(m.getPayloadAsBytes(), UTF_8))
                .containsExactly("long", "endless");
        assertThat(got.get(0).getMessageExpiryInterval().orElse(0)).isBetween(400L, 499L);
        assertThat(got.get(1).getMessageExpiryInterval()).isEmpty();
        sleeper.disconnect();
        publisher.disconnect();
    }

    @Test
    void userPropertyPriorityIsThePriorityInQueues() throws Exception {
        QueueRef queue = boundQueue("p", QueuePolicy.builder().maxPriority(9).build());
        Mqtt5BlockingClient publisher = client("pub");
        publisher.connect();
        for (String priority : List.of("1", "9", "5", "high", "05", "256")) {
            publisher.publish(message("t/p", priority)
                    .userProperties()
                    .add("x-priority", priority)
                    .applyUserProperties()
                    .build());
        }
        publisher.disconnect();
        Sink sink = new Sink();
        queue.attach(CALLER, new QueueRef.ConsumerSpec("t", true, false, Integer.MAX_VALUE), sink)
                .flush();
        await().until(() -> sink.got.size() == 6);
        assertThat(sink.got)
                .containsExactly(
                        "9 sl.priority=9",
                        "5 sl.priority=5",
                        "1 sl.priority=1",
                        "high x-priority=-1",
                        "05 x-priority=5",
                        "256 x-priority=256");
    }

    private static void done(java.util.concurrent.CompletionStage<?> stage) throws Exception {
        stage.toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private static Binding binding(
            String from, Binding.Kind kind, String to, String key, Map<String, String> arguments) {
        return new Binding(
                new Binding.End(Binding.Kind.EXCHANGE, from),
                new Binding.End(kind, to),
                key,
                arguments,
                Binding.Origin.CLIENT);
    }

    @Test
    void userPropertiesAreMatchedByHeadersExchanges() throws Exception {
        done(host.declareExchange(
                CALLER, new ExchangeInfo("by.kind", ExchangeInfo.Type.HEADERS, true, false, false, Map.of())));
        QueueRef queue = host.declareQueue(
                        CALLER, new QueueDeclaration("alarms", true, false, false, QueuePolicy.NONE, Map.of()))
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
        done(host.bind(CALLER, binding("amq.topic", Binding.Kind.EXCHANGE, "by.kind", "s.#", Map.of())));
        done(host.bind(CALLER, binding("by.kind", Binding.Kind.QUEUE, "alarms", "", Map.of("kind", "alarm"))));
        Mqtt5BlockingClient publisher = client("pub");
        publisher
                .connectWith()
                .willPublish()
                .topic("s/will")
                .qos(MqttQos.AT_LEAST_ONCE)
                .payload("will".getBytes(UTF_8))
                .userProperties()
                .add("kind", "alarm")
                .applyUserProperties()
                .applyWillPublish()
                .send();
        for (String kind : List.of("alarm", "reading", "alarm")) {
            publisher.publish(message("s/1", kind)
                    .userProperties()
                    .add("kind", kind)
                    .applyUserProperties()
                    .build());
        }
        publisher.publish(message("s/1", "no kind").build());
        publisher
                .disconnectWith()
                .reasonCode(
                        com.hivemq.client.mqtt.mqtt5.message.disconnect.Mqtt5DisconnectReasonCode
                                .DISCONNECT_WITH_WILL_MESSAGE)
                .send();
        Sink sink = new Sink();
        queue.attach(CALLER, new QueueRef.ConsumerSpec("t", true, false, Integer.MAX_VALUE), sink)
                .flush();
        await().untilAsserted(() -> assertThat(sink.got).containsExactly("alarm", "alarm", "will"));
    }

    @Test
    void anExpiredMessageReachesSubscribersOfItsDeadLetterTopicWithItsHistory() throws Exception {
        boundQueue(
                "dying",
                QueuePolicy.builder()
                        .deadLetterExchange("amq.topic")
                        .deadLetterKey("dead.letters")
                        .build());
        Mqtt5BlockingClient online = client("online");
        List<Mqtt5Publish> got = new CopyOnWriteArrayList<>();
        online.toAsync().publishes(MqttGlobalPublishFilter.ALL, got::add);
        online.connect();
        online.subscribeWith().topicFilter("dead/#").qos(MqttQos.AT_LEAST_ONCE).send();
        Mqtt5BlockingClient away = client("away");
        away.connectWith().cleanStart(false).sessionExpiryInterval(600).send();
        away.subscribeWith().topicFilter("dead/#").qos(MqttQos.AT_LEAST_ONCE).send();
        away.disconnect();
        online.publish(message("t/dying", "late").messageExpiryInterval(1).build());
        await().until(() -> got.size() == 1);
        away.toAsync().publishes(MqttGlobalPublishFilter.ALL, got::add);
        away.connectWith().cleanStart(false).sessionExpiryInterval(0).send();
        await().until(() -> got.size() == 2);
        for (Mqtt5Publish letter : got) {
            assertThat(letter.getTopic()).hasToString("dead/letters");
            assertThat(letter.getPayloadAsBytes()).isEqualTo("late".getBytes(UTF_8));
            assertThat(letter.getMessageExpiryInterval()).isEmpty();
            assertThat(letter.getUserProperties().asList())
                    .extracting(p -> p.getName() + "=" + p.getValue())
                    .contains("x-death-reason=expired", "x-death-queue=dying");
        }
        online.disconnect();
        away.disconnect();
    }

    @Test
    void aFullQueueIsAQuotaInMqtt5AndAcknowledgedInMqtt3() throws Exception {
        QueueRef queue = boundQueue(
                "full",
                QueuePolicy.builder()
                        .maxLength(2)
                        .overflow(Overflow.REJECT_PUBLISH)
                        .build());
        Mqtt5BlockingClient publisher = client("pub");
        publisher.connect();
        publisher.publish(message("t/full", "1").build());
        publisher.publish(message("t/full", "2").build());
        assertThatThrownBy(() -> publisher.publish(message("t/full", "3").build()))
                .isInstanceOfSatisfying(
                        Mqtt5PubAckException.class,
                        e -> assertThat(e.getMqttMessage().getReasonCode())
                                .isEqualTo(Mqtt5PubAckReasonCode.QUOTA_EXCEEDED));
        publisher.publish(message("t/elsewhere", "4").build());
        publisher.disconnect();
        try (MqttClient old = new MqttClient("tcp://127.0.0.1:" + real.port(), "old", new MemoryPersistence())) {
            old.connect();
            old.publish("t/full", "5".getBytes(UTF_8), 1, false);
            assertThat(old.isConnected()).isTrue();
            old.disconnect();
        }
        assertThat(queue.stats().ready()).isEqualTo(2);
    }
}
