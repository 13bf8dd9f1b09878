package io.sluice.mqtt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5Client;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.routing.catalog.RoutingBroker;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The gateway on the real log: retained messages and durable sessions outlive the broker. */
class MqttRestartTest {
    @TempDir
    Path directory;

    /** A broker on the directory. */
    private final class Node implements AutoCloseable {
        final Clock clock = new io.sluice.io.SystemClock();
        final LocalLogEngine engine =
                LocalLogEngine.open(directory, LocalLogSettings.DEFAULT, new io.sluice.io.DiskFileSystem(), clock);
        final Core core = Core.start(engine, clock, CoreSettings.DEFAULT);
        final RoutingBroker broker = RoutingBroker.open(engine, core.shard(), core.queues(), clock);
        final TestServer server = new TestServer(broker, MqttSettings.DEFAULT);

        Mqtt5BlockingClient client(String id) {
            return Mqtt5Client.builder()
                    .identifier(id)
                    .serverHost("127.0.0.1")
                    .serverPort(server.port)
                    .buildBlocking();
        }

        @Override
        public void close() {
            server.close();
            broker.close();
            core.close();
            engine.close();
        }
    }

    @Test
    void retainedAndOfflineMessagesComeBackAfterARestart() throws Exception {
        try (Node node = new Node()) {
            Mqtt5BlockingClient sleeper = node.client("sleeper");
            sleeper.connectWith().cleanStart(false).sessionExpiryInterval(3600).send();
            sleeper.subscribeWith()
                    .topicFilter("q/#")
                    .qos(MqttQos.AT_LEAST_ONCE)
                    .send();
            sleeper.disconnect();
            Mqtt5BlockingClient publisher = node.client("pub");
            publisher.connect();
            for (int i = 0; i < 50; i++) {
                publisher
                        .publishWith()
                        .topic("q/n")
                        .qos(MqttQos.AT_LEAST_ONCE)
                        .payload(("" + i).getBytes(UTF_8))
                        .send();
            }
            publish(publisher, "state/a", "on");
            publish(publisher, "state/b", "gone soon");
            publish(publisher, "state/b", "");
            publisher.disconnect();
            assertRetained(node.client("before"));
        }
        try (Node node = new Node()) {
            assertRetained(node.client("after"));
            Mqtt5BlockingClient sleeper = node.client("sleeper");
            List<Mqtt5Publish> got = receive(sleeper);
            boolean present = sleeper.connectWith()
                    .cleanStart(false)
                    .sessionExpiryInterval(3600)
                    .send()
                    .isSessionPresent();
            assertThat(present).isTrue();
            await().until(() -> got.size() == 50);
            for (int i = 0; i < 50; i++) {
                assertThat(new String(got.get(i).getPayloadAsBytes(), UTF_8)).isEqualTo("" + i);
            }
            sleeper.disconnect();
        }
    }

    private static void publish(Mqtt5BlockingClient client, String topic, String payload) {
        client.publishWith()
                .topic(topic)
                .qos(MqttQos.AT_LEAST_ONCE)
                .retain(true)
                .payload(payload.getBytes(UTF_8))
                .send();
    }

    private static void assertRetained(Mqtt5BlockingClient client) {
        List<Mqtt5Publish> got = receive(client);
        client.connect();
        client.subscribeWith().topicFilter("state/+").qos(MqttQos.AT_LEAST_ONCE).send();
        await().until(() -> !got.isEmpty());
        assertThat(got).hasSize(1);
        assertThat(got.get(0).isRetain()).isTrue();
        assertThat(got.get(0).getPayloadAsBytes()).isEqualTo("on".getBytes(UTF_8));
        client.disconnect();
    }

    private static List<Mqtt5Publish> receive(Mqtt5BlockingClient client) {
        List<Mqtt5Publish> got = new CopyOnWriteArrayList<>();
        client.toAsync().publishes(MqttGlobalPublishFilter.ALL, got::add);
        return got;
    }
}
