package io.sluice.server.it;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** One idempotent acks=all producer and one member of a consumer group that commits what it read, over the broker's deaths. */
final class KafkaLoad implements Load {
    private static final String TOPIC = "crash-native";
    private static final int WINDOW = 256;

    private final Ledger ledger;
    private final KafkaProducer<byte[], byte[]> producer;
    private final KafkaConsumer<byte[], byte[]> member;
    private final Thread publisher;
    private final Thread consumer;
    private final Semaphore window = new Semaphore(WINDOW);
    private volatile boolean publishing;
    private volatile boolean consuming = true;

    KafkaLoad(BrokerProcess broker, Ledger ledger, Ledger.Reader group, boolean publish) {
        this.ledger = ledger;
        this.publishing = publish;
        String server = "127.0.0.1:" + broker.nativePort();
        producer = new KafkaProducer<>(
                Map.of(
                        "bootstrap.servers", server,
                        "acks", "all",
                        "linger.ms", "1",
                        "delivery.timeout.ms", "30000",
                        "request.timeout.ms", "20000",
                        "max.block.ms", "30000",
                        "reconnect.backoff.max.ms", "200"),
                new ByteArraySerializer(),
                new ByteArraySerializer());
        member = new KafkaConsumer<>(
                Map.of(
                        "bootstrap.servers", server,
                        "group.id", "crash-group",
                        // static: a member that a crash cut off is replaced at once, not waited for
                        "group.instance.id", "crash-member",
                        "auto.offset.reset", "earliest",
                        "enable.auto.commit", "false",
                        "session.timeout.ms", "6000",
                        "default.api.timeout.ms", "2000",
                        "reconnect.backoff.max.ms", "200"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
        publisher = new Thread(this::publish, "native-publisher");
        publisher.setDaemon(true);
        publisher.start();
        consumer = new Thread(() -> consume(group), "native-consumer");
        consumer.setDaemon(true);
        consumer.start();
    }

    @Override
    public void stopPublishing() throws InterruptedException {
        publishing = false;
        publisher.join();
    }

    /** Ends both; a broker must be there, so that the group learns that its member left. */
    @Override
    public void close() throws Exception {
        stopPublishing();
        consuming = false;
        consumer.join();
        producer.close(Duration.ZERO);
    }

    /** Reads the whole partition. */
    static void readAll(BrokerProcess broker, Ledger.Reader reader) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", "127.0.0.1:" + broker.nativePort());
        TopicPartition partition = new TopicPartition(TOPIC, 0);
        try (KafkaConsumer<byte[], byte[]> all =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            all.assign(List.of(partition));
            all.seekToBeginning(List.of(partition));
            long end = all.endOffsets(List.of(partition)).get(partition);
            while (all.position(partition) < end) {
                for (ConsumerRecord<byte[], byte[]> read : all.poll(Duration.ofSeconds(1))) {
                    reader.deliver(read.value());
                }
            }
        }
    }

    private void publish() {
        try {
            while (publishing) {
                if (!window.tryAcquire(100, TimeUnit.MILLISECONDS)) {
                    continue;
                }
                int id = ledger.send();
                producer.send(new ProducerRecord<>(TOPIC, 0, null, ledger.payload(id)), (sent, error) -> {
                    if (error == null) {
                        ledger.confirm(id);
                    }
                    window.release();
                });
            }
            producer.flush();
        } catch (KafkaException | InterruptedException e) {
            ledger.mark("producer ended: " + e);
        }
    }

    private void consume(Ledger.Reader group) {
        member.subscribe(List.of(TOPIC));
        try (member) {
            while (consuming) {
                try {
                    for (ConsumerRecord<byte[], byte[]> read : member.poll(Duration.ofMillis(100))) {
                        group.deliver(read.value());
                    }
                    member.commitSync();
                } catch (KafkaException e) {
                    // the broker is away, or the group begins anew: what was not committed comes again
                    ledger.mark("group member: " + e);
                }
            }
        }
    }
}
