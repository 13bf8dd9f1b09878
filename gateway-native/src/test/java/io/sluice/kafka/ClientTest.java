package io.sluice.kafka;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** What tests with Kafka's own clients share: a node and clients that give up early. */
abstract class ClientTest {
    @TempDir
    Path directory;

    TestNode node;

    @BeforeEach
    void start() {
        node = new TestNode(directory, settings());
    }

    NativeSettings settings() {
        return NativeSettings.DEFAULT;
    }

    @AfterEach
    void stop() {
        node.close();
    }

    KafkaProducer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of(
                "bootstrap.servers", node.bootstrap(),
                "key.serializer", StringSerializer.class,
                "value.serializer", StringSerializer.class,
                "max.block.ms", 10_000,
                "delivery.timeout.ms", 15_000,
                "request.timeout.ms", 10_000,
                "linger.ms", 5));
        config.putAll(more);
        return new KafkaProducer<>(config);
    }

    KafkaConsumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of(
                "bootstrap.servers",
                node.bootstrap(),
                "key.deserializer",
                StringDeserializer.class,
                "value.deserializer",
                StringDeserializer.class,
                "auto.offset.reset",
                "earliest",
                "enable.auto.commit",
                false));
        config.putAll(more);
        return new KafkaConsumer<>(config);
    }

    Admin admin() {
        Properties config = new Properties();
        config.put("bootstrap.servers", node.bootstrap());
        config.put("request.timeout.ms", "10000");
        return Admin.create(config);
    }

    static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> {
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
            return records.size() >= count;
        });
        return records;
    }

    void send(String topic, int from, int to) throws Exception {
        try (var producer = producer(Map.of())) {
            for (int i = from; i < to; i++) {
                producer.send(new ProducerRecord<>(topic, "k" + i, "v" + i));
            }
            producer.flush();
        }
    }
}
