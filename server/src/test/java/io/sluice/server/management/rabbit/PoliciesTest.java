package io.sluice.server.management.rabbit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.http.client.Client;
import com.rabbitmq.http.client.domain.PolicyInfo;
import com.rabbitmq.http.client.domain.QueueInfo;
import io.sluice.server.SluiceServer;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Policies set over HTTP while AMQP clients work. */
@Timeout(60)
class PoliciesTest {
    @TempDir
    private static Path directory;

    private static SluiceServer server;
    private static Client client;
    private static Connection connection;
    private static Channel channel;

    @BeforeAll
    static void start() throws Exception {
        server = ApiServer.start(directory);
        client = ApiServer.client(server);
        ConnectionFactory factory = new ConnectionFactory();
        factory.setPort(server.ports().get("AMQP"));
        factory.setAutomaticRecoveryEnabled(false);
        connection = factory.newConnection();
        channel = connection.createChannel();
        channel.confirmSelect();
    }

    @AfterAll
    static void stop() throws Exception {
        connection.close();
        server.close();
    }

    @AfterEach
    void removePolicies() {
        client.getPolicies("/").forEach(policy -> client.deletePolicy("/", policy.getName()));
        client.getOperatorPolicies("/").forEach(policy -> client.deleteOperatorPolicy("/", policy.getName()));
    }

    private static void policy(String pattern, Map<String, Object> definition) {
        client.declarePolicy("/", "the policy", new PolicyInfo(pattern, 1, "queues", definition));
    }

    private static void publish(String queue, int from, int to) throws Exception {
        AMQP.BasicProperties persistent =
                new AMQP.BasicProperties.Builder().deliveryMode(2).build();
        for (int i = from; i < to; i++) {
            channel.basicPublish("", queue, persistent, String.valueOf(i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(10_000);
    }

    private static long ready(String queue) throws Exception {
        return channel.messageCount(queue);
    }

    @Test
    void aShorterLimitTrimsWhatWaitsAndDeadLettersIt() throws Exception {
        channel.queueDeclare("long", true, false, false, null);
        channel.queueDeclare("dead", true, false, false, null);
        publish("long", 0, 10);
        policy("^long$", Map.of("max-length", 3, "dead-letter-exchange", "", "dead-letter-routing-key", "dead"));
        await().untilAsserted(() -> {
            assertThat(ready("long")).isEqualTo(3);
            assertThat(ready("dead")).isEqualTo(7);
        });
        GetResponse dead = channel.basicGet("dead", true);
        assertThat(new String(dead.getBody(), UTF_8)).isEqualTo("0");
        assertThat(String.valueOf(dead.getProps().getHeaders().get("x-death"))).contains("maxlen");
        assertThat(new String(channel.basicGet("long", true).getBody(), UTF_8)).isEqualTo("7");

        QueueInfo shown = client.getQueue("/", "long");
        assertThat(shown.getPolicy()).isEqualTo("the policy");
        // by its arguments it is what it was
        channel.queueDeclare("long", true, false, false, null);
        client.deletePolicy("/", "the policy");
        publish("long", 10, 20);
        assertThat(ready("long")).isEqualTo(12);
        assertThat(client.getQueue("/", "long").getPolicy()).isNull();
    }

    @Test
    void aLongBacklogIsTrimmedInPartsAndOthersGoOn() throws Exception {
        channel.queueDeclare("huge", false, false, false, null);
        publish("huge", 0, 20_000);
        policy("^huge$", Map.of("max-length", 5));
        await().untilAsserted(() -> assertThat(ready("huge")).isEqualTo(5));
        assertThat(new String(channel.basicGet("huge", true).getBody(), UTF_8)).isEqualTo("19995");
    }

    @Test
    void aTimeToLiveIsForMessagesThatComeLater() throws Exception {
        channel.queueDeclare("aging", true, false, false, null);
        publish("aging", 0, 1);
        policy("^aging$", Map.of("message-ttl", 1));
        publish("aging", 1, 3);
        channel.basicAck(channel.basicGet("aging", false).getEnvelope().getDeliveryTag(), false);
        await().untilAsserted(() -> assertThat(ready("aging")).isZero());
    }

    @Test
    void aQueueStartsToRefusePublishes() throws Exception {
        channel.queueDeclare("full", true, false, false, null);
        publish("full", 0, 2);
        policy("^full$", Map.of("max-length", 2, "overflow", "reject-publish"));
        channel.basicPublish("", "full", null, new byte[1]);
        assertThat(channel.waitForConfirms(10_000)).isFalse();
        client.deletePolicy("/", "the policy");
        publish("full", 2, 3);
        assertThat(ready("full")).isEqualTo(3);
    }

    @Test
    void anUnusedQueueGoes() throws Exception {
        channel.queueDeclare("unused", true, false, false, null);
        policy("^unused$", Map.of("expires", 50));
        await().untilAsserted(() -> assertThat(client.getQueue("/", "unused")).isNull());
    }

    @Test
    void anExchangeGetsAnAlternate() throws Exception {
        channel.exchangeDeclare("main", "direct", true);
        channel.exchangeDeclare("rest", "fanout", true);
        channel.queueDeclare("unrouted", true, false, false, null);
        channel.queueBind("unrouted", "rest", "");
        client.declarePolicy(
                "/", "the policy", new PolicyInfo("^main$", 0, "exchanges", Map.of("alternate-exchange", "rest")));
        channel.basicPublish("main", "nowhere", true, null, "x".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
        assertThat(ready("unrouted")).isEqualTo(1);
    }

    @Test
    void operatorsCapWhatOthersSet() throws Exception {
        channel.queueDeclare("capped", true, false, false, Map.of("x-max-length", 8));
        publish("capped", 0, 8);
        policy("^capped$", Map.of("max-length", 6));
        await().untilAsserted(() -> assertThat(ready("capped")).isEqualTo(6));
        client.declareOperatorPolicy("/", "cap", new PolicyInfo("capped", 0, "queues", Map.of("max-length", 4)));
        await().untilAsserted(() -> assertThat(ready("capped")).isEqualTo(4));
        client.deletePolicy("/", "the policy");
        client.deleteOperatorPolicy("/", "cap");
        publish("capped", 0, 10);
        assertThat(ready("capped")).isEqualTo(8);
    }

    @Test
    void theyAreListedAndShown() {
        policy("^shown", Map.of("max-length", 5, "overflow", "drop-head"));
        PolicyInfo shown = client.getPolicies("/").get(0);
        assertThat(shown.getPattern()).isEqualTo("^shown");
        assertThat(shown.getPriority()).isEqualTo(1);
        assertThat(shown.getApplyTo()).isEqualTo("queues");
        assertThat(shown.getDefinition()).isEqualTo(Map.of("max-length", 5, "overflow", "drop-head"));
        assertThat(client.getPolicies()).extracting(PolicyInfo::getName).containsExactly("the policy");
        assertThat(client.getOperatorPolicies()).isEmpty();
    }
}
