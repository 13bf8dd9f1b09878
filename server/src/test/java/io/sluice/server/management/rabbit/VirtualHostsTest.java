package io.sluice.server.management.rabbit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import com.rabbitmq.http.client.Client;
import com.rabbitmq.http.client.domain.PolicyInfo;
import com.rabbitmq.http.client.domain.VhostInfo;
import io.sluice.server.SluiceServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.eclipse.paho.mqttv5.client.MqttClient;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Virtual hosts made and deleted over HTTP while AMQP clients work, and over restarts. */
@Timeout(60)
class VirtualHostsTest {
    @TempDir
    private Path directory;

    private SluiceServer server;
    private Client client;

    @BeforeEach
    void start() throws Exception {
        server = ApiServer.start(directory);
        client = ApiServer.client(server);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private String base() {
        return ApiServer.base(server);
    }

    private int send(String method, String path, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(base() + path))
                .method(method, HttpRequest.BodyPublishers.ofString(body))
                .header("Authorization", "Basic " + Base64.getEncoder().encodeToString("guest:guest".getBytes(UTF_8)))
                .build();
        return HttpClient.newHttpClient()
                .send(request, HttpResponse.BodyHandlers.ofString())
                .statusCode();
    }

    private Connection connect(String vhost) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setPort(server.ports().get("AMQP"));
        factory.setVirtualHost(vhost);
        factory.setAutomaticRecoveryEnabled(false);
        return factory.newConnection();
    }

    private void fill(Channel channel) throws Exception {
        channel.queueDeclare("q", true, false, false, null);
        channel.queueDeclare("log", true, false, false, Map.of("x-queue-type", "stream"));
        channel.exchangeDeclare("x", "fanout", true);
        channel.queueBind("q", "x", "");
        channel.confirmSelect();
        AMQP.BasicProperties persistent =
                new AMQP.BasicProperties.Builder().deliveryMode(2).build();
        channel.basicPublish("x", "", persistent, "kept".getBytes(UTF_8));
        channel.basicPublish("", "log", persistent, "kept".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
    }

    @Test
    void oneIsMadeUsedAndDeletedWithItsConnectionsAndContents() throws Exception {
        assertThatThrownBy(() -> connect("blue")).hasStackTraceContaining("530");
        assertThat(send("PUT", "vhosts/blue", "{\"description\": \"the blue one\", \"tags\": \"a,b\"}"))
                .isEqualTo(201);
        assertThat(send("PUT", "vhosts/blue", "{\"description\": \"the blue one\"}"))
                .isEqualTo(204);
        VhostInfo shown = client.getVhost("blue");
        assertThat(shown.getDescription()).isEqualTo("the blue one");

        Connection other = connect("/");
        Connection connection = connect("blue");
        fill(connection.createChannel());
        assertThat(client.getQueues("blue")).extracting("name").containsExactlyInAnyOrder("q", "log");
        assertThat(client.getQueues("/")).isEmpty();

        client.deleteVhost("blue");
        await().until(() -> !connection.isOpen());
        ShutdownSignalException why = connection.getCloseReason();
        assertThat(why.getMessage()).contains("320").contains("vhost 'blue' is deleted");
        assertThat(other.isOpen()).isTrue();
        other.close();
        assertThat(client.getVhost("blue")).isNull();
        assertThat(send("DELETE", "vhosts/blue", "")).isEqualTo(404);
        assertThat(send("DELETE", "vhosts/%2F", "")).isEqualTo(400);
        assertThatThrownBy(() -> connect("blue")).hasStackTraceContaining("530");

        assertThat(send("PUT", "vhosts/blue", "")).isEqualTo(201);
        assertThat(client.getQueues("blue")).isEmpty();
        assertThat(client.getExchanges("blue")).extracting("name").doesNotContain("x");
    }

    @Test
    void mqttClientsAndTheirSessionsGoWithTheirs() throws Exception {
        client.createVhost("blue", "");
        MqttConnectionOptions options = new MqttConnectionOptions();
        options.setUserName("blue:guest");
        options.setPassword("guest".getBytes(UTF_8));
        options.setSessionExpiryInterval(600L);
        options.setCleanStart(false);
        options.setAutomaticReconnect(false);
        MqttClient mqtt =
                new MqttClient("tcp://127.0.0.1:" + server.ports().get("MQTT"), "sensor", new MemoryPersistence());
        mqtt.connect(options);
        mqtt.subscribe("a/#", 1);
        assertThat(client.getQueues("blue")).hasSize(1);

        client.deleteVhost("blue");
        await().until(() -> !mqtt.isConnected());
        assertThatThrownBy(() -> mqtt.connect(options)).isInstanceOf(MqttException.class);
        mqtt.close();
        client.createVhost("blue", "");
        assertThat(client.getQueues("blue")).isEmpty();
    }

    @Test
    void theyAreThereAfterARestartOrAreNot() throws Exception {
        client.createVhost("kept", "stays");
        client.createVhost("gone", "goes");
        client.declarePolicy("kept", "p", new PolicyInfo(".*", 0, "queues", Map.of("max-length", 1)));
        for (String vhost : List.of("kept", "gone")) {
            try (Connection connection = connect(vhost)) {
                fill(connection.createChannel());
            }
        }
        client.deleteVhost("gone");

        server.close();
        start();

        assertThat(client.getVhosts()).extracting("name").containsExactlyInAnyOrder("/", "kept");
        assertThat(client.getVhost("kept").getDescription()).isEqualTo("stays");
        try (Connection connection = connect("kept")) {
            Channel channel = connection.createChannel();
            channel.confirmSelect();
            channel.basicPublish("", "q", null, "new".getBytes(UTF_8));
            channel.waitForConfirmsOrDie(10_000);
            assertThat(channel.messageCount("q")).isEqualTo(1);
            assertThat(new String(channel.basicGet("q", true).getBody(), UTF_8)).isEqualTo("new");
        }
        assertThat(client.getQueue("kept", "q").getPolicy()).isEqualTo("p");
    }

    @Test
    void definitionsCarryThemAndTheirPolicies() throws Exception {
        client.createVhost("team", "ours");
        client.declarePolicy("team", "p", new PolicyInfo("^q$", 3, "queues", Map.of("max-length", 7)));
        client.declareOperatorPolicy("team", "cap", new PolicyInfo(".*", 0, "queues", Map.of("max-length", 9)));
        try (Connection connection = connect("team")) {
            fill(connection.createChannel());
        }
        HttpRequest export = HttpRequest.newBuilder(URI.create(base() + "definitions"))
                .header("Authorization", "Basic " + Base64.getEncoder().encodeToString("guest:guest".getBytes(UTF_8)))
                .build();
        String definitions = HttpClient.newHttpClient()
                .send(export, HttpResponse.BodyHandlers.ofString())
                .body();
        client.deleteVhost("team");

        assertThat(send("POST", "definitions", definitions)).isEqualTo(204);
        assertThat(client.getVhost("team").getDescription()).isEqualTo("ours");
        assertThat(client.getPolicies("team")).extracting("name").containsExactly("p");
        assertThat(client.getOperatorPolicies("team")).extracting("name").containsExactly("cap");
        assertThat(client.getQueues("team")).extracting("name").containsExactlyInAnyOrder("q", "log");
        assertThat(client.getQueueBindingsBetween("team", "x", "q")).hasSize(1);
    }
}
