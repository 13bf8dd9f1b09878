package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5Client;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One message published over each protocol reaches consumers of all three, with payload and headers. */
class CrossProtocolIT {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    @TempDir
    static Path directory;

    private static BrokerProcess broker;

    private Connection amqp;
    private Channel channel;
    private Mqtt5BlockingClient device;
    private final BlockingQueue<Delivery> queued = new LinkedBlockingQueue<>();
    private final BlockingQueue<Mqtt5Publish> subscribed = new LinkedBlockingQueue<>();

    @BeforeAll
    static void start() throws Exception {
        broker = new BrokerProcess(directory);
    }

    @AfterAll
    static void stop() throws Exception {
        broker.close();
    }

    @BeforeEach
    void connect() throws Exception {
        amqp = broker.connectAmqp();
        channel = amqp.createChannel();
        device = Mqtt5Client.builder()
                .identifier("it-" + UUID.randomUUID())
                .serverHost("127.0.0.1")
                .serverPort(broker.mqttPort())
                .buildBlocking();
        device.connect();
    }

    @AfterEach
    void disconnect() throws Exception {
        device.disconnect();
        amqp.close();
    }

    @Test
    void mqttToAll() throws Exception {
        consume("m-queue", "sensors.*.temp");
        bindStream("m-stream", "sensors.*.temp");
        subscribe("sensors/+/temp");

        device.publishWith()
                .topic("sensors/7/temp")
                .qos(MqttQos.AT_LEAST_ONCE)
                .payload("21.5".getBytes(UTF_8))
                .contentType("text/plain")
                .userProperties()
                .add("unit", "C")
                .applyUserProperties()
                .send();

        Delivery delivery = next(queued);
        assertThat(delivery.getBody()).isEqualTo("21.5".getBytes(UTF_8));
        assertThat(delivery.getEnvelope().getRoutingKey()).isEqualTo("sensors.7.temp");
        assertThat(delivery.getProperties().getContentType()).isEqualTo("text/plain");
        assertThat(delivery.getProperties().getHeaders())
                .hasEntrySatisfying("unit", unit -> assertThat(unit.toString()).isEqualTo("C"));
        ConsumerRecord<String, String> record = readStream("m-stream").get(0);
        assertThat(record.key()).isEqualTo("sensors/7/temp");
        assertThat(record.value()).isEqualTo("21.5");
        assertThat(header(record, "content-type")).isEqualTo("text/plain");
        assertThat(header(record, "unit")).isEqualTo("C");
        Mqtt5Publish publish = next(subscribed);
        assertThat(publish.getTopic()).hasToString("sensors/7/temp");
        assertThat(publish.getPayloadAsBytes()).isEqualTo("21.5".getBytes(UTF_8));
    }

    @Test
    void amqpToAll() throws Exception {
        consume("a-queue", "plant.#");
        bindStream("a-stream", "plant.#");
        subscribe("plant/#");

        channel.confirmSelect();
        channel.basicPublish(
                "amq.topic",
                "plant.3.alarm",
                new AMQP.BasicProperties.Builder()
                        .deliveryMode(2)
                        .contentType("application/json")
                        .correlationId("c-1")
                        .headers(Map.of("level", "high", "count", 7L))
                        .build(),
                "{}".getBytes(UTF_8));
        assertThat(channel.waitForConfirms(10_000)).isTrue();

        Delivery delivery = next(queued);
        assertThat(delivery.getProperties().getCorrelationId()).isEqualTo("c-1");
        assertThat(delivery.getProperties().getHeaders()).containsEntry("count", 7L);
        ConsumerRecord<String, String> record = readStream("a-stream").get(0);
        assertThat(record.value()).isEqualTo("{}");
        assertThat(header(record, "content-type")).isEqualTo("application/json");
        assertThat(header(record, "level")).isEqualTo("high");
        assertThat(header(record, "count")).isEqualTo("7");
        Mqtt5Publish publish = next(subscribed);
        assertThat(publish.getTopic()).hasToString("plant/3/alarm");
        assertThat(publish.getContentType().orElseThrow()).hasToString("application/json");
    }

    @Test
    void kafkaToAll() throws Exception {
        consume("k-queue", "commands");
        subscribe("commands");
        channel.queueDeclare("commands", true, false, false, Map.of("x-queue-type", "stream"));
        broker.addRoute("stream:commands", "exchange:amq.topic");

        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings(), new StringSerializer(), new StringSerializer())) {
            ProducerRecord<String, String> record =
                    new ProducerRecord<>("commands", null, 1_700_000_000_123L, "k", "go");
            record.headers().add("content-type", "text/plain".getBytes(UTF_8));
            producer.send(record).get(10, TimeUnit.SECONDS);
        }

        Delivery delivery = next(queued);
        assertThat(delivery.getBody()).isEqualTo("go".getBytes(UTF_8));
        assertThat(delivery.getProperties().getContentType()).isEqualTo("text/plain");
        assertThat(delivery.getProperties().getTimestamp()).isEqualTo(new Date(1_700_000_000_000L));
        assertThat(delivery.getProperties().getHeaders().get("x-key")).hasToString("k");
        Mqtt5Publish publish = next(subscribed);
        assertThat(publish.getPayloadAsBytes()).isEqualTo("go".getBytes(UTF_8));
        assertThat(property(publish, "x-key")).isEqualTo("k");
        assertThat(property(publish, "timestamp")).isEqualTo("1700000000");
        assertThat(readStream("commands").get(0).value()).isEqualTo("go");
    }

    @Test
    void keyAndTimeOfTheOthersAreThoseOfTheRecord() throws Exception {
        bindStream("times", "times.#");
        channel.confirmSelect();
        channel.basicPublish(
                "amq.topic",
                "times.a",
                new AMQP.BasicProperties.Builder()
                        .deliveryMode(2)
                        .timestamp(new Date(1_600_000_000_000L))
                        .headers(Map.of("x-key", "ka"))
                        .build(),
                "a".getBytes(UTF_8));
        assertThat(channel.waitForConfirms(10_000)).isTrue();
        device.publishWith()
                .topic("times/m")
                .qos(MqttQos.AT_LEAST_ONCE)
                .userProperties()
                .add("x-key", "km")
                .add("timestamp", "1500000000")
                .applyUserProperties()
                .send();
        device.publishWith()
                .topic("times/junk")
                .qos(MqttQos.AT_LEAST_ONCE)
                .userProperties()
                .add("timestamp", "1500000000000")
                .applyUserProperties()
                .send();

        List<ConsumerRecord<String, String>> records = readStream("times", 3);
        assertThat(records).extracting(ConsumerRecord::key).containsExactly("ka", "km", "times/junk");
        assertThat(records.get(0).timestamp()).isEqualTo(1_600_000_000_000L);
        assertThat(records.get(1).timestamp()).isEqualTo(1_500_000_000_000L);
        assertThat(records.get(2).timestamp()).isLessThanOrEqualTo(System.currentTimeMillis());
    }

    private static String property(Mqtt5Publish publish, String name) {
        return publish.getUserProperties().asList().stream()
                .filter(property -> property.getName().toString().equals(name))
                .map(property -> property.getValue().toString())
                .findFirst()
                .orElse("");
    }

    @Test
    void headersOfKafkaProducersAreChecked() throws Exception {
        consume("forged-queue", "forged.#");
        subscribe("forged/#");
        channel.queueDeclare("forged", true, false, false, Map.of("x-queue-type", "stream"));
        broker.addRoute("stream:forged", "exchange:amq.topic");

        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings(), new StringSerializer(), new StringSerializer())) {
            send(producer, "forged", "amqp", Map.of("sl.topic", "forged/1", "sl.orig", "zzz", "sl.from", "amqp091"));
            send(producer, "forged", "mqtt", Map.of("sl.topic", "forged/2", "sl.orig", "zzz", "sl.from", "mqtt5"));
            send(producer, "forged", "wildcard", Map.of("sl.topic", "forged/#"));
        }

        // A topic that no client could publish to is none: the stream's name says where it goes.
        for (String topic : List.of("forged/1", "forged/2", "forged")) {
            Mqtt5Publish publish = next(subscribed);
            assertThat(publish.getTopic()).hasToString(topic);
            assertThat(next(queued).getBody()).isEqualTo(publish.getPayloadAsBytes());
        }
    }

    @Test
    void aKafkaProducerSaysWhenOthersGetItsRecord() throws Exception {
        consume("later-queue", "later.#");
        subscribe("later/#");
        channel.queueDeclare("later", true, false, false, Map.of("x-queue-type", "stream"));
        broker.addRoute("stream:later", "exchange:amq.topic");

        long start = System.currentTimeMillis();
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings(), new StringSerializer(), new StringSerializer())) {
            send(producer, "later", "third", Map.of("sl.deliver-at", Long.toString(start + 1_500)));
            send(producer, "later", "second", Map.of("sl.delay", "500"));
            send(producer, "later", "first", Map.of("sl.deliver-at", Long.toString(start - 10_000)));
        }

        assertThat(readStream("later", 3))
                .as("the log has them at once")
                .extracting(ConsumerRecord::value)
                .containsExactly("third", "second", "first");
        for (String body : List.of("first", "second", "third")) {
            assertThat(next(queued).getBody()).isEqualTo(body.getBytes(UTF_8));
            assertThat(next(subscribed).getPayloadAsBytes()).isEqualTo(body.getBytes(UTF_8));
        }
        assertThat(System.currentTimeMillis() - start).isGreaterThanOrEqualTo(1_500);
    }

    private static void send(
            KafkaProducer<String, String> producer, String stream, String value, Map<String, String> headers)
            throws Exception {
        ProducerRecord<String, String> record = new ProducerRecord<>(stream, "p/+", value);
        headers.forEach((name, text) -> record.headers().add(name, text.getBytes(UTF_8)));
        producer.send(record).get(10, TimeUnit.SECONDS);
    }

    private void consume(String queue, String key) throws Exception {
        channel.queueDeclare(queue, true, false, false, Map.of());
        channel.queueBind(queue, "amq.topic", key);
        channel.basicConsume(queue, true, (tag, delivery) -> queued.add(delivery), tag -> {});
    }

    private void bindStream(String stream, String key) throws Exception {
        channel.queueDeclare(stream, true, false, false, Map.of("x-queue-type", "stream"));
        channel.queueBind(stream, "amq.topic", key);
    }

    private void subscribe(String filter) {
        device.toAsync()
                .subscribeWith()
                .topicFilter(filter)
                .qos(MqttQos.AT_LEAST_ONCE)
                .callback(subscribed::add)
                .send()
                .join();
    }

    private static List<ConsumerRecord<String, String>> readStream(String stream) {
        return readStream(stream, 1);
    }

    private static List<ConsumerRecord<String, String>> readStream(String stream, int count) {
        Properties settings = settings();
        settings.put("group.id", "group-" + stream);
        settings.put("auto.offset.reset", "earliest");
        List<ConsumerRecord<String, String>> read = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(stream));
            await("record in " + stream).atMost(LIMIT).until(() -> {
                consumer.poll(Duration.ofMillis(200)).forEach(read::add);
                return read.size() >= count;
            });
        }
        return read;
    }

    private static Properties settings() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", "127.0.0.1:" + broker.nativePort());
        return settings;
    }

    private static String header(ConsumerRecord<?, ?> record, String name) {
        Header header = record.headers().lastHeader(name);
        assertThat(header).as("header %s of %s", name, record.headers()).isNotNull();
        return new String(header.value(), UTF_8);
    }

    private static <T> T next(BlockingQueue<T> queue) throws InterruptedException {
        T taken = queue.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
        assertThat(taken).isNotNull();
        return taken;
    }
}
