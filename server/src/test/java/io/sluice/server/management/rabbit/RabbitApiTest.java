package io.sluice.server.management.rabbit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.http.client.Client;
import com.rabbitmq.http.client.ClientParameters;
import com.rabbitmq.http.client.GetAckMode;
import com.rabbitmq.http.client.GetEncoding;
import com.rabbitmq.http.client.domain.BindingInfo;
import com.rabbitmq.http.client.domain.ConsumerDetails;
import com.rabbitmq.http.client.domain.ExchangeInfo;
import com.rabbitmq.http.client.domain.InboundMessage;
import com.rabbitmq.http.client.domain.OutboundMessage;
import com.rabbitmq.http.client.domain.OverviewResponse;
import com.rabbitmq.http.client.domain.QueryParameters;
import com.rabbitmq.http.client.domain.QueueInfo;
import io.sluice.server.SluiceServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.eclipse.paho.mqttv5.client.MqttClient;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** RabbitMQ's own HTTP client, and plain requests, against a whole broker. */
@Timeout(60)
class RabbitApiTest {
    @TempDir
    private static Path directory;

    private static SluiceServer server;
    private static Client client;
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    @BeforeAll
    static void start() throws Exception {
        server = ApiServer.start(directory);
        client = ApiServer.client(server);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static String base() {
        return ApiServer.base(server);
    }

    private static Connection connect() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(server.ports().get("AMQP"));
        factory.setAutomaticRecoveryEnabled(false);
        return factory.newConnection("the test's");
    }

    private static HttpResponse<String> send(String method, String path, String body, String... headers)
            throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base() + path))
                .method(method, HttpRequest.BodyPublishers.ofString(body))
                .header("Authorization", "Basic " + Base64.getEncoder().encodeToString("guest:guest".getBytes(UTF_8)));
        for (int i = 0; i < headers.length; i += 2) {
            request.setHeader(headers[i], headers[i + 1]);
        }
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void overviewNodesAndHealth() throws Exception {
        OverviewResponse overview = client.getOverview();
        assertThat(overview.getNode()).isEqualTo("sluice@localhost");
        assertThat(overview.getObjectTotals().getExchanges()).isGreaterThanOrEqualTo(6);
        assertThat(client.whoAmI().getName()).isEqualTo("guest");
        assertThat(client.getVhosts()).extracting("name").containsExactly("/");
        assertThat(client.getNodes()).hasSize(1);
        assertThat(client.alivenessTest("/")).isTrue();
        assertThat(send("GET", "health/checks/alarms", "").body()).isEqualTo("{\"status\":\"ok\"}");
        assertThat(send("GET", "health/checks/protocol-listener/amqp091", "").statusCode())
                .isEqualTo(200);
        assertThat(send("GET", "health/checks/port-listener/1", "").statusCode())
                .isEqualTo(503);
        for (String check : List.of(
                "port-listener/" + server.ports().get("MQTT"),
                "ready-to-serve-clients",
                "virtual-hosts",
                "local-alarms",
                "certificate-expiration/1/months",
                "is-in-service")) {
            assertThat(send("GET", "health/checks/" + check, "").statusCode())
                    .as(check)
                    .isEqualTo(200);
        }
        assertThat(client.getUsers()).extracting("name").containsExactly("guest");
        assertThat(client.getPermissions()).extracting("configure").containsExactly(".*");
    }

    @Test
    void queuesAreDeclaredShownFilledReadPurgedAndDeleted() throws Exception {
        client.declareQueue("/", "a/b", new QueueInfo(true, false, false, Map.of("x-max-length", 5)));
        QueueInfo queue = client.getQueue("/", "a/b");
        assertThat(queue.isDurable()).isTrue();
        assertThat(queue.getArguments()).containsEntry("x-max-length", 5);
        assertThat(client.publish(
                        "/",
                        "amq.default",
                        "a/b",
                        new OutboundMessage().payload("one").utf8Encoded()))
                .isTrue();
        assertThat(client.publish(
                        "/",
                        "amq.default",
                        "nobody",
                        new OutboundMessage().payload("x").utf8Encoded()))
                .isFalse();
        assertThat(client.getQueue("/", "a/b").getMessagesReady()).isEqualTo(1);
        List<InboundMessage> seen = client.get("/", "a/b", 5, GetAckMode.NACK_REQUEUE_TRUE, GetEncoding.AUTO);
        assertThat(seen).extracting(InboundMessage::getPayload).containsExactly("one");
        assertThat(send("POST", "queues/%2F/a%2Fb/get", "{\"count\": \"1\", \"ackmode\": \"ack_requeue_true\"}")
                        .body())
                .contains("\"payload\":\"one\"");
        List<InboundMessage> taken = client.get("/", "a/b", 5, GetAckMode.ACK_REQUEUE_FALSE, GetEncoding.BASE64);
        assertThat(taken).extracting(InboundMessage::getPayload).containsExactly("b25l");
        assertThat(taken.get(0).isRedelivered()).isTrue();
        await().until(() -> client.getQueue("/", "a/b").getTotalMessages() == 0);
        client.publish(
                "/", "amq.default", "a/b", new OutboundMessage().payload("two").utf8Encoded());
        client.purgeQueue("/", "a/b");
        await().until(() -> client.getQueue("/", "a/b").getTotalMessages() == 0);
        client.deleteQueue("/", "a/b");
        assertThat(client.getQueue("/", "a/b")).isNull();
        assertThat(send("DELETE", "queues/%2F/a%2Fb", "").statusCode()).isEqualTo(404);
    }

    @Test
    void declaringAnewWithOtherArgumentsIsRefusedInTheBrokersWords() throws Exception {
        assertThat(send("PUT", "queues/%2f/fixed", "{\"durable\": true}").statusCode())
                .isEqualTo(201);
        assertThat(send("PUT", "queues/%2f/fixed", "{\"durable\": true}").statusCode())
                .isEqualTo(204);
        HttpResponse<String> refused = send("PUT", "queues/%2f/fixed", "{\"arguments\": {\"x-expires\": 1000}}");
        assertThat(refused.statusCode()).isEqualTo(400);
        assertThat(refused.body()).contains("bad_request", "inequivalent arg 'x-expires'");
        assertThat(send("PUT", "queues/%2f/fixed", "{\"durable\": ").statusCode())
                .isEqualTo(400);
        assertThat(send("PUT", "queues/nowhere/fixed", "{}").statusCode()).isEqualTo(404);
        assertThat(send("PATCH", "queues/%2f/fixed", "{}").statusCode()).isEqualTo(405);
    }

    @Test
    void exchangesAndBindings() {
        client.declareExchange("/", "shop", new ExchangeInfo("headers", true, false));
        client.declareExchange("/", "front", new ExchangeInfo("topic", true, false));
        client.declareQueue("/", "orders", new QueueInfo(true, false, false));
        client.bindExchange("/", "shop", "front", "order.#");
        client.bindQueue("/", "orders", "shop", "", Map.of("x-match", "all", "n", 7));
        assertThat(client.getExchange("/", "shop").getType()).isEqualTo("headers");
        List<BindingInfo> between = client.getQueueBindingsBetween("/", "shop", "orders");
        assertThat(between).singleElement().satisfies(binding -> {
            assertThat(binding.getArguments()).containsEntry("x-match", "all").containsEntry("n", 7);
            assertThat(binding.getPropertiesKey()).startsWith("~").isNotEqualTo("~");
        });
        assertThat(client.getExchangeBindingsBetween("/", "front", "shop")).hasSize(1);
        assertThat(client.getQueueBindings("/", "orders")).hasSize(2);
        client.unbindExchange("/", "shop", "front", "order.#");
        assertThat(client.getExchangeBindingsBetween("/", "front", "shop")).isEmpty();
        client.deleteExchange("/", "shop");
        assertThat(client.getExchange("/", "shop")).isNull();
        assertThat(client.getQueueBindings("/", "orders")).hasSize(1);
    }

    @Test
    void connectionsAreListedAndClosed() throws Exception {
        Connection connection = connect();
        Channel channel = connection.createChannel();
        channel.queueDeclare("watched", false, false, false, null);
        channel.basicConsume("watched", false, "mine", (tag, delivery) -> {}, tag -> {});
        channel.queueDeclare("tape", true, false, false, Map.of("x-queue-type", "stream"));
        channel.basicQos(10);
        channel.basicConsume("tape", false, "reader", (tag, delivery) -> {}, tag -> {});
        assertThat(client.getQueues())
                .extracting(QueueInfo::getName)
                .contains("tape", "watched")
                .noneMatch(name -> name.startsWith("__"));
        var mine = client.getConnections().stream()
                .filter(info -> "the test's".equals(info.getClientProperties().getConnectionName()))
                .findFirst()
                .orElseThrow();
        assertThat(mine.getUser()).isEqualTo("guest");
        assertThat(mine.getChannels()).isEqualTo(1);
        assertThat(client.getChannels(mine.getName())).hasSize(1);
        assertThat(client.getConsumers("/"))
                .extracting(ConsumerDetails::getConsumerTag)
                .contains("mine", "reader");
        client.closeConnection(mine.getName(), "enough");
        await().until(() -> !connection.isOpen());
        assertThat(connection.getCloseReason()).hasMessageContaining("320").hasMessageContaining("enough");
        await().until(() -> client.getConnections().stream()
                .noneMatch(info -> info.getName().equals(mine.getName())));
    }

    @Test
    void connectionsOfOtherProtocolsAreListedAndClosed() throws Exception {
        MqttClient mqtt = new MqttClient(
                "tcp://127.0.0.1:" + server.ports().get("MQTT"), "the listed one", new MemoryPersistence());
        mqtt.connect();
        try (KafkaProducer<String, String> kafka = new KafkaProducer<>(
                Map.of("bootstrap.servers", "127.0.0.1:" + server.ports().get("Kafka")),
                new StringSerializer(),
                new StringSerializer())) {
            kafka.partitionsFor("listed");
            await().untilAsserted(() -> assertThat(
                            send("GET", "connections?columns=protocol", "").body())
                    .contains("Kafka"));
        }
        String name = client.getConnections().stream()
                .filter(one -> "MQTT 5-0".equals(one.getProtocol()))
                .findFirst()
                .orElseThrow()
                .getName();
        assertThat(send("GET", "connections/" + name.replace(" ", "%20").replace(">", "%3E"), "")
                        .body())
                .contains("\"client_id\":\"the listed one\"");
        client.closeConnection(name);
        await().until(() -> !mqtt.isConnected());
        mqtt.close();
    }

    @Test
    void definitionsGoOutAndIn() throws Exception {
        client.declareExchange("/", "kept", new ExchangeInfo("topic", true, false));
        client.declareQueue("/", "kept-q", new QueueInfo(true, false, false, Map.of("x-message-ttl", 60_000)));
        client.bindQueue("/", "kept-q", "kept", "k.#");
        String definitions = send("GET", "definitions", "").body();
        client.deleteQueue("/", "kept-q");
        client.deleteExchange("/", "kept");
        assertThat(send("POST", "definitions", definitions).statusCode()).isEqualTo(204);
        assertThat(client.getQueue("/", "kept-q").getArguments()).containsEntry("x-message-ttl", 60_000);
        assertThat(client.getQueueBindingsBetween("/", "kept", "kept-q"))
                .singleElement()
                .satisfies(binding -> assertThat(binding.getRoutingKey()).isEqualTo("k.#"));
        HttpResponse<String> refused = send("POST", "definitions", """
                {"queues": [{"name": "first", "vhost": "/"},
                            {"name": "amq.second", "vhost": "/"},
                            {"name": "third", "vhost": "/"},
                            {"name": "elsewhere", "vhost": "nowhere"}],
                 "policies": [{"name": "p", "vhost": "/"}],
                 "users": [{"name": "guest"}, {"name": "somebody"}]}
                """);
        assertThat(refused.statusCode()).isEqualTo(400);
        assertThat(refused.body())
                .contains("4 of 7 definitions were refused")
                .contains("users 'somebody': Users cannot be changed yet.")
                .contains("policies 'p': The attribute 'pattern' is missing.")
                .contains("queues 'elsewhere': There is no virtual host 'nowhere'.")
                .contains("queue 'amq.second' in virtual host '/': ACCESS_REFUSED");
        assertThat(client.getQueue("/", "first")).isNotNull();
        assertThat(client.getQueue("/", "third")).isNotNull();
    }

    @Test
    void listsAreFilteredSortedAndPaged() throws Exception {
        for (int i = 0; i < 7; i++) {
            client.declareQueue("/", "page-" + i, new QueueInfo(true, false, false));
        }
        var page = client.getQueues(new QueryParameters()
                .name("^page-[0-4]$", true)
                .pagination()
                .pageSize(3)
                .query());
        assertThat(page.getFilteredCount()).isEqualTo(5);
        assertThat(page.getPageCount()).isEqualTo(2);
        assertThat(page.getItems()).hasSize(3);
        assertThat(send("GET", "queues?name=page-&columns=name&sort=name&sort_reverse=true", "")
                        .body())
                .startsWith("[{\"name\":\"page-6\"},{\"name\":\"page-5\"}");
        assertThat(send("GET", "queues?page=9", "").statusCode()).isEqualTo(400);
        assertThat(send("GET", "queues?name=(&use_regex=true", "").statusCode()).isEqualTo(400);
    }

    @Test
    void withoutThePasswordNothingIsTold() throws Exception {
        String wrong = "Basic " + Base64.getEncoder().encodeToString("guest:no".getBytes(UTF_8));
        for (String authorization : List.of(wrong, "Basic !", "Bearer x")) {
            HttpResponse<String> refused = send("GET", "queues", "", "Authorization", authorization);
            assertThat(refused.statusCode()).isEqualTo(401);
            assertThat(refused.headers().firstValue("www-authenticate"))
                    .hasValueSatisfying(scheme -> assertThat(scheme).startsWith("Basic"));
            assertThat(refused.body()).contains("not_authorised");
        }
        assertThatThrownBy(() -> new Client(new ClientParameters()
                                .url(base())
                                .username("guest")
                                .password("no"))
                        .getOverview())
                .isNotNull();
    }

    @Test
    void whatIsNotBuiltIsRefused() throws Exception {
        assertThat(send("PUT", "users/other", "{}").statusCode()).isEqualTo(501);
        assertThat(send("PUT", "permissions/%2f/other", "{}").statusCode()).isEqualTo(501);
        assertThat(send("PUT", "vhosts/other", "{\"tracing\": true}").statusCode())
                .isEqualTo(501);
        assertThat(send("GET", "shovels", "").statusCode()).isEqualTo(404);
        HttpResponse<String> unknown =
                send("PUT", "policies/%2f/p", "{\"pattern\": \".\", \"definition\": {\"ha-mode\": \"all\"}}");
        assertThat(unknown.statusCode()).isEqualTo(400);
        assertThat(unknown.body())
                .contains("\"error\":\"bad_request\"")
                .contains("{<<\\\"ha-mode\\\">>,<<\\\"all\\\">>}] are not recognised policy settings");
        assertThat(client.getPolicies()).isEmpty();
    }
}
