package io.sluice.server.tour;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** A Kafka producer, and a consumer of a group that reads a topic from its beginning. */
final class KafkaPeer implements AutoCloseable {
    /** Header that carries the MQTT topic of a record, where its key is not the topic. */
    private static final String TOPIC_HEADER = "sl.topic";

    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    final Mailbox mailbox = new Mailbox("Kafka");
    private final KafkaProducer<String, String> producer;
    private final KafkaConsumer<String, String> consumer;
    private final Thread polling;

    KafkaPeer(int port, String topic, String group) {
        String address = "127.0.0.1:" + port;
        producer = new KafkaProducer<>(
                Map.of(
                        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        address,
                        ProducerConfig.ACKS_CONFIG,
                        "all",
                        ProducerConfig.MAX_BLOCK_MS_CONFIG,
                        TIMEOUT.toMillis()),
                new StringSerializer(),
                new StringSerializer());
        consumer = new KafkaConsumer<>(
                Map.of(
                        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        address,
                        ConsumerConfig.GROUP_ID_CONFIG,
                        group,
                        ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
                        "earliest"),
                new StringDeserializer(),
                new StringDeserializer());
        polling = new Thread(() -> poll(topic), "tour-kafka");
        polling.start();
    }

    private void poll(String topic) {
        try (consumer) {
            consumer.subscribe(List.of(topic));
            while (true) {
                consumer.poll(TIMEOUT).forEach(record -> mailbox.put(read(record)));
            }
        } catch (WakeupException e) {
            // close() asked for it
        } catch (KafkaException e) {
            // seen as messages that do not arrive, which the mailbox reports by name
        }
    }

    private static Reading read(ConsumerRecord<String, String> record) {
        Header topic = record.headers().lastHeader(TOPIC_HEADER);
        String name =
                topic != null ? new String(topic.value(), UTF_8) : record.key().replace('.', '/');
        return new Reading(name, record.value());
    }

    /** Produces to {@code topic} with acks=all and returns the offset that the broker has acknowledged. */
    long publish(String topic, Reading reading) throws TourFailedException {
        ProducerRecord<String, String> record = new ProducerRecord<>(topic, reading.topic(), reading.value());
        record.headers().add(TOPIC_HEADER, reading.topic().getBytes(UTF_8));
        try {
            return producer.send(record)
                    .get(TIMEOUT.toSeconds(), TimeUnit.SECONDS)
                    .offset();
        } catch (ExecutionException | TimeoutException | KafkaException e) {
            throw new TourFailedException(
                    "The Kafka record " + reading + " was not acknowledged: " + e.getMessage() + ".", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TourFailedException("Interrupted.", e);
        }
    }

    @Override
    public void close() {
        producer.close(Duration.ZERO);
        consumer.wakeup();
        try {
            polling.join(TIMEOUT.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
