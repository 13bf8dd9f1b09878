package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt3.Mqtt3AsyncClient;
import com.hivemq.client.mqtt.mqtt3.Mqtt3Client;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A data directory of every on-disk version ({@code src/test/resources/data/*.zip}) is opened and everything in it found. {@code
 * -Dsluice.fixture=FILE} writes the one of this version instead: a run with a clean stop, a second one that is killed.
 */
class DataFixtureIT {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final List<String> FIXTURES = List.of("/data/v1.zip");
    private static final int SETTLED = 15;

    @Test
    void everyVersionOpens(@TempDir Path directory) throws Exception {
        for (String fixture : FIXTURES) {
            Path of = Files.createDirectory(directory.resolve(fixture.replace('/', '_')));
            URL resource = DataFixtureIT.class.getResource(fixture);
            assertThat(resource).as(fixture).isNotNull();
            try (InputStream in = resource.openStream()) {
                unzip(in, of.resolve("data"));
            }
            try (BrokerProcess broker = new BrokerProcess(of)) {
                check(broker);
            }
            assertThat(of.resolve("broker.log")).content().contains("after an unclean stop");
        }
    }

    @Test
    void writesTheFixtureOfThisVersion(@TempDir Path directory) throws Exception {
        String target = System.getProperty("sluice.fixture", "");
        assumeTrue(!target.isEmpty(), "a fixture is written with -Dsluice.fixture=FILE only");
        try (BrokerProcess broker = new BrokerProcess(directory)) {
            openSession(broker);
            fill(broker, 0, 30);
            settle(broker);
            broker.stop();
            broker.start();
            fill(broker, 30, 40);
            broker.kill();
        }
        zip(directory.resolve("data"), Path.of(target));
        System.out.println("wrote " + target + ", " + Files.size(Path.of(target)) + " bytes");
    }

    private static void fill(BrokerProcess broker, int from, int to) throws Exception {
        try (Connection amqp = broker.connectAmqp()) {
            Channel channel = amqp.createChannel();
            channel.exchangeDeclare("plant", "topic", true);
            channel.queueDeclare("orders", true, false, false, Map.of());
            channel.queueBind("orders", "plant", "order.#");
            channel.queueDeclare("history", true, false, false, Map.of("x-queue-type", "stream"));
            channel.queueBind("history", "plant", "#");
            channel.confirmSelect();
            for (int i = from; i < to; i++) {
                channel.basicPublish(
                        "plant", "order." + i, MessageProperties.PERSISTENT_TEXT_PLAIN, ("order " + i).getBytes(UTF_8));
            }
            channel.waitForConfirmsOrDie(30_000);
        }
        Mqtt3AsyncClient sender = device(broker, "fixture-sender");
        sender.connect().get(30, TimeUnit.SECONDS);
        for (int i = from; i < to; i++) {
            sender.publishWith()
                    .topic("site/" + i + "/temp")
                    .qos(MqttQos.AT_LEAST_ONCE)
                    .retain(i % 10 == 0)
                    .payload(("temp " + i).getBytes(UTF_8))
                    .send()
                    .get(30, TimeUnit.SECONDS);
        }
        sender.disconnect().get(30, TimeUnit.SECONDS);
        for (String codec : List.of("none", "gzip", "lz4", "zstd", "snappy")) {
            Map<String, Object> settings = new HashMap<>(kafka(broker));
            settings.put("compression.type", codec);
            settings.put("acks", "all");
            try (KafkaProducer<String, String> producer =
                    new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
                for (int i = from; i < to; i++) {
                    producer.send(new ProducerRecord<>("stream-" + codec, 0, "key", "record " + i));
                }
                producer.flush();
            }
        }
        TopicPartition partition = new TopicPartition("stream-none", 0);
        try (KafkaConsumer<String, String> member = consumer(broker, "fixture-group")) {
            member.assign(List.of(partition));
            member.commitSync(Map.of(partition, new OffsetAndMetadata(to - 5L, "at " + to)));
        }
    }

    private static void openSession(BrokerProcess broker) throws Exception {
        Mqtt3AsyncClient offline = device(broker, "fixture-session");
        offline.connectWith().cleanSession(false).send().get(30, TimeUnit.SECONDS);
        offline.subscribeWith()
                .topicFilter("site/+/temp")
                .qos(MqttQos.AT_LEAST_ONCE)
                .send()
                .get(30, TimeUnit.SECONDS);
        offline.disconnect().get(30, TimeUnit.SECONDS);
    }

    /** Takes the first orders away for good. */
    private static void settle(BrokerProcess broker) throws Exception {
        try (Connection amqp = broker.connectAmqp()) {
            Channel channel = amqp.createChannel();
            for (int i = 0; i < SETTLED; i++) {
                channel.basicAck(channel.basicGet("orders", false).getEnvelope().getDeliveryTag(), false);
            }
            channel.close();
        }
    }

    private static void check(BrokerProcess broker) throws Exception {
        try (Connection amqp = broker.connectAmqp()) {
            Channel channel = amqp.createChannel();
            List<String> orders = new ArrayList<>();
            GetResponse got = channel.basicGet("orders", true);
            while (got != null) {
                orders.add(new String(got.getBody(), UTF_8) + " "
                        + got.getEnvelope().getRoutingKey());
                got = channel.basicGet("orders", true);
            }
            assertThat(orders).containsExactlyElementsOf(numbers(SETTLED, 40, i -> "order " + i + " order." + i));
        }
        List<String> session = new CopyOnWriteArrayList<>();
        Mqtt3AsyncClient offline = device(broker, "fixture-session");
        offline.publishes(MqttGlobalPublishFilter.ALL, m -> session.add(new String(m.getPayloadAsBytes(), UTF_8)));
        assertThat(offline.connectWith()
                        .cleanSession(false)
                        .send()
                        .get(30, TimeUnit.SECONDS)
                        .isSessionPresent())
                .isTrue();
        List<String> temperatures = numbers(0, 40, i -> "temp " + i);
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(List.copyOf(session)).containsAll(temperatures));
        // order is by topic, and each has a topic of its own
        assertThat(session).containsOnlyOnceElementsOf(temperatures);
        offline.disconnect();
        List<String> retained = new CopyOnWriteArrayList<>();
        Mqtt3AsyncClient fresh = device(broker, "fixture-fresh");
        fresh.publishes(
                MqttGlobalPublishFilter.ALL, m -> retained.add(m.getTopic().toString()));
        fresh.connect().get(30, TimeUnit.SECONDS);
        fresh.subscribeWith().topicFilter("site/#").send().get(30, TimeUnit.SECONDS);
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(retained)
                        .containsExactlyInAnyOrder("site/0/temp", "site/10/temp", "site/20/temp", "site/30/temp"));
        fresh.disconnect();
        assertThat(read(broker, "history")).isEqualTo(numbers(0, 40, i -> "order " + i));
        for (String codec : List.of("none", "gzip", "lz4", "zstd", "snappy")) {
            assertThat(read(broker, "stream-" + codec)).isEqualTo(numbers(0, 40, i -> "record " + i));
        }
        TopicPartition partition = new TopicPartition("stream-none", 0);
        try (KafkaConsumer<String, String> member = consumer(broker, "fixture-group")) {
            OffsetAndMetadata committed =
                    member.committed(java.util.Set.of(partition)).get(partition);
            assertThat(committed.metadata()).isEqualTo("at 40");
            assertThat(committed.offset()).isEqualTo(35);
        }
    }

    private static List<String> read(BrokerProcess broker, String topic) {
        List<String> values = new ArrayList<>();
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = consumer(broker, null)) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    values.add(record.value());
                }
            }
        }
        return values;
    }

    private static List<String> numbers(int from, int to, java.util.function.IntFunction<String> name) {
        return IntStream.range(from, to).mapToObj(name).toList();
    }

    private static Mqtt3AsyncClient device(BrokerProcess broker, String id) {
        return Mqtt3Client.builder()
                .identifier(id)
                .serverHost("127.0.0.1")
                .serverPort(broker.mqttPort())
                .buildAsync();
    }

    private static Map<String, Object> kafka(BrokerProcess broker) {
        return Map.of("bootstrap.servers", "127.0.0.1:" + broker.nativePort());
    }

    private static KafkaConsumer<String, String> consumer(BrokerProcess broker, String group) {
        Map<String, Object> settings = new HashMap<>(kafka(broker));
        if (group != null) {
            settings.put("group.id", group);
        }
        settings.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private static void zip(Path directory, Path target) throws IOException {
        Files.createDirectories(target.toAbsolutePath().getParent());
        try (OutputStream file = Files.newOutputStream(target);
                ZipOutputStream zip = new ZipOutputStream(file);
                Stream<Path> all = Files.walk(directory)) {
            zip.setLevel(9);
            for (Path path : all.sorted().skip(1).toList()) {
                String name = directory.relativize(path).toString();
                if (Files.isDirectory(path)) {
                    zip.putNextEntry(new ZipEntry(name + "/"));
                } else {
                    zip.putNextEntry(new ZipEntry(name));
                    Files.copy(path, zip);
                }
                zip.closeEntry();
            }
        }
    }

    private static void unzip(InputStream in, Path directory) throws IOException {
        try (ZipInputStream zip = new ZipInputStream(in)) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                Path path = directory.resolve(entry.getName());
                if (entry.isDirectory()) {
                    Files.createDirectories(path);
                } else {
                    Files.createDirectories(path.getParent());
                    Files.copy(zip, path);
                }
            }
        }
    }
}
