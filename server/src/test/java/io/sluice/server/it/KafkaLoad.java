package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** One idempotent acks=all producer; what it wrote is read back from the start of the partition at the end. */
final class KafkaLoad implements Load {
    private static final String TOPIC = "crash-native";

    private final Ledger ledger;
    private final KafkaProducer<byte[], byte[]> producer;
    private final Thread publisher;
    private volatile boolean publishing = true;

    KafkaLoad(BrokerProcess broker, Ledger ledger) {
        this.ledger = ledger;
        Properties settings = new Properties();
        settings.putAll(Map.of(
                "bootstrap.servers", "127.0.0.1:" + broker.nativePort(),
                "acks", "all",
                "linger.ms", "1",
                "delivery.timeout.ms", "3000",
                "request.timeout.ms", "2000",
                "max.block.ms", "5000"));
        producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        publisher = new Thread(this::publish, "native-publisher");
        publisher.setDaemon(true);
        publisher.start();
    }

    @Override
    public void stopPublishing() throws InterruptedException {
        publishing = false;
        publisher.join();
    }

    @Override
    public void close() throws Exception {
        stopPublishing();
        producer.close(Duration.ZERO);
    }

    /** Reads the whole partition into the ledger. */
    static void readAll(BrokerProcess broker, Ledger ledger) {
        Properties settings = new Properties();
        settings.putAll(
                Map.of("bootstrap.servers", "127.0.0.1:" + broker.nativePort(), "auto.offset.reset", "earliest"));
        TopicPartition partition = new TopicPartition(TOPIC, 0);
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                for (ConsumerRecord<byte[], byte[]> read : consumer.poll(Duration.ofSeconds(1))) {
                    ledger.deliver(Integer.parseInt(new String(read.value(), UTF_8)));
                }
            }
        }
    }

    private void publish() {
        while (publishing) {
            int id = ledger.send();
            try {
                producer.send(
                        new ProducerRecord<>(
                                TOPIC, 0, null, Integer.toString(id).getBytes(UTF_8)),
                        (sent, error) -> {
                            if (error == null) {
                                ledger.confirm(id);
                            }
                        });
            } catch (org.apache.kafka.common.KafkaException e) {
                return; // the broker was killed
            }
            if (id % 64 == 63) {
                producer.flush();
            }
        }
        producer.flush();
    }
}
