package io.sluice.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.log.LogException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The native door with Kafka's own clients over loopback. */
class NativeGatewayTest extends ClientTest {
    @ParameterizedTest
    @ValueSource(strings = {"none", "gzip", "snappy", "lz4", "zstd"})
    void recordsOfEveryCodecComeBack(String codec) throws Exception {
        TopicPartition partition = new TopicPartition("t-" + codec, 0);
        try (var producer = producer(Map.of("compression.type", codec))) {
            for (int i = 0; i < 500; i++) {
                var record = new ProducerRecord<>(partition.topic(), "k" + i, "v" + i);
                record.headers().add("n", Integer.toString(i).getBytes());
                producer.send(record);
            }
            producer.flush();
        }
        try (var consumer = consumer(Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            List<ConsumerRecord<String, String>> records = poll(consumer, 500);
            assertThat(records).hasSize(500);
            for (int i = 0; i < 500; i++) {
                assertThat(records.get(i).offset()).isEqualTo(i);
                assertThat(records.get(i).value()).isEqualTo("v" + i);
                assertThat(new String(records.get(i).headers().lastHeader("n").value()))
                        .isEqualTo("" + i);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "1", "all"})
    void acksAreHonoured(String acks) throws Exception {
        try (var producer = producer(Map.of("acks", acks, "enable.idempotence", acks.equals("all")))) {
            var metadata = producer.send(new ProducerRecord<>("acks", "k", "v")).get();
            assertThat(metadata.hasOffset()).isEqualTo(!acks.equals("0"));
        }
        Awaitility.await()
                .until(() -> node.names.containsKey("acks")
                        && node.partitions
                                        .get(new io.sluice.log.PartitionId(node.names.get("acks"), 0))
                                        .highWatermark()
                                == 1);
    }

    @Test
    void refusedAppendsAreOfferedAgainInOrder() throws Exception {
        send("order", 0, 1);
        node.refuse.set(25);
        send("order", 1, 300);
        assertThat(node.refuse.get()).isZero();
        try (var consumer = consumer(Map.of())) {
            TopicPartition partition = new TopicPartition("order", 0);
            consumer.assign(List.of(partition));
            List<ConsumerRecord<String, String>> records = poll(consumer, 300);
            for (int i = 0; i < 300; i++) {
                assertThat(records.get(i).value()).isEqualTo("v" + i);
            }
        }
    }

    @Test
    void waitingFetchIsWokenByAnAppend() throws Exception {
        try (var admin = admin();
                var consumer = consumer(Map.of("fetch.max.wait.ms", 30_000))) {
            admin.createTopics(List.of(new NewTopic("poll", 1, (short) 1)))
                    .all()
                    .get();
            consumer.assign(List.of(new TopicPartition("poll", 0)));
            consumer.poll(Duration.ofMillis(500));
            long start = System.nanoTime();
            send("poll", 0, 1);
            assertThat(poll(consumer, 1)).hasSize(1);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
        }
    }

    @Test
    void closingConsumerDoesNotSitOutItsFetch() throws Exception {
        send("quiet", 0, 1);
        var consumer = consumer(Map.of("fetch.max.wait.ms", 30_000, "fetch.min.bytes", 1_000_000));
        consumer.assign(List.of(new TopicPartition("quiet", 0)));
        consumer.poll(Duration.ofMillis(500));
        long start = System.nanoTime();
        consumer.close();
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    }

    @Test
    void groupsAndOffsetsOfTwoHostsAreApart() throws Exception {
        TopicPartition partition = new TopicPartition("t", 0);
        for (String vhost : List.of("/", "other")) {
            node.vhost = vhost;
            send("t", 0, 5);
            try (var consumer = consumer(Map.of("group.id", "same"))) {
                consumer.subscribe(List.of("t"));
                poll(consumer, 5);
                consumer.commitSync(Map.of(partition, new OffsetAndMetadata(vhost.equals("/") ? 2 : 4)));
            }
        }
        try (var admin = admin()) {
            assertThat(admin.listConsumerGroupOffsets("same")
                            .partitionsToOffsetAndMetadata()
                            .get())
                    .isEqualTo(Map.of(partition, new OffsetAndMetadata(4, java.util.Optional.empty(), "")));
            assertThat(admin.listGroups().all().get())
                    .singleElement()
                    .satisfies(group -> assertThat(group.groupId()).isEqualTo("same"));
            assertThat(admin.describeConsumerGroups(List.of("same")).all().get())
                    .containsOnlyKeys("same");
            admin.deleteConsumerGroups(List.of("same")).all().get();
            assertThat(admin.listGroups().all().get()).isEmpty();
        }
        node.vhost = "/";
        try (var admin = admin()) {
            assertThat(admin.listConsumerGroupOffsets("same")
                            .partitionsToOffsetAndMetadata()
                            .get()
                            .get(partition)
                            .offset())
                    .isEqualTo(2);
            admin.deleteConsumerGroupOffsets("same", Set.of(partition)).all().get();
            assertThat(admin.listConsumerGroupOffsets("same")
                            .partitionsToOffsetAndMetadata()
                            .get())
                    .isEmpty();
        }
    }

    @Test
    void offsetsGoWithTheirTopic() throws Exception {
        send("gone", 0, 5);
        send("stays", 0, 5);
        TopicPartition gone = new TopicPartition("gone", 0);
        TopicPartition stays = new TopicPartition("stays", 0);
        try (var admin = admin();
                var consumer = consumer(Map.of("group.id", "g"))) {
            consumer.assign(List.of(gone, stays));
            consumer.commitSync(Map.of(gone, new OffsetAndMetadata(3), stays, new OffsetAndMetadata(4)));
            admin.deleteTopics(List.of("gone")).all().get();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(admin.listConsumerGroupOffsets("g")
                                    .partitionsToOffsetAndMetadata()
                                    .get())
                            .containsOnlyKeys(stays));
        }
    }

    @Test
    void diskFullIsRetriableAndPasses() throws Exception {
        send("full", 0, 1);
        node.refusal = new LogException(LogException.Reason.DISK_FULL, "the disk is full");
        try (var producer = producer(Map.of("retry.backoff.ms", 50))) {
            var sent = producer.send(new ProducerRecord<>("full", "k", "later"));
            Awaitility.await().until(() -> node.refused.get() > 2);
            assertThat(sent.isDone()).isFalse();
            node.refusal = null;
            assertThat(sent.get(10, TimeUnit.SECONDS).offset()).isEqualTo(1);
        }
    }

    @Test
    void tooLargeBatchIsRefused() throws Exception {
        try (var admin = admin();
                var producer = producer(Map.of("max.request.size", 10 << 20))) {
            admin.createTopics(
                            List.of(new NewTopic("small", 1, (short) -1).configs(Map.of("max.message.bytes", "1000"))))
                    .all()
                    .get();
            assertThatThrownBy(() -> producer.send(new ProducerRecord<>("small", "k", "x".repeat(5_000)))
                            .get())
                    .hasCauseInstanceOf(RecordTooLargeException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"none", "zstd"})
    void aCompactedTopicTakesNoRecordWithoutKey(String codec) throws Exception {
        try (var admin = admin();
                var producer = producer(Map.of("compression.type", codec, "linger.ms", 200))) {
            admin.createTopics(
                            List.of(new NewTopic("table", 1, (short) -1).configs(Map.of("cleanup.policy", "compact"))))
                    .all()
                    .get();
            producer.send(new ProducerRecord<>("table", "k", "v")).get(10, TimeUnit.SECONDS);
            var keyed = producer.send(new ProducerRecord<>("table", "k2", "v"));
            var keyless = producer.send(new ProducerRecord<>("table", null, "v"));
            assertThatThrownBy(() -> keyless.get(10, TimeUnit.SECONDS))
                    .hasCauseInstanceOf(InvalidRecordException.class);
            assertThatThrownBy(() -> keyed.get(10, TimeUnit.SECONDS)).hasCauseInstanceOf(KafkaException.class);
            assertThat(producer.send(new ProducerRecord<>("table", "k", "w"))
                            .get(10, TimeUnit.SECONDS)
                            .offset())
                    .isEqualTo(1);
        }
    }

    @Test
    void topicsAreAdministered() throws Exception {
        try (var admin = admin()) {
            assertThat(admin.describeCluster().nodes().get()).hasSize(1);
            admin.createTopics(List.of(new NewTopic("a", 3, (short) 1).configs(Map.of("retention.ms", "1234"))))
                    .all()
                    .get();
            assertThatThrownBy(() -> admin.createTopics(List.of(new NewTopic("a", 3, (short) 1)))
                            .all()
                            .get())
                    .hasCauseInstanceOf(TopicExistsException.class);
            assertThatThrownBy(() -> admin.createTopics(
                                    List.of(new NewTopic("b", 1, (short) 1).configs(Map.of("no.such", "1"))))
                            .all()
                            .get())
                    .hasCauseInstanceOf(InvalidConfigurationException.class);
            admin.createPartitions(Map.of("a", NewPartitions.increaseTo(5)))
                    .all()
                    .get();
            assertThat(admin.describeTopics(List.of("a"))
                            .allTopicNames()
                            .get()
                            .get("a")
                            .partitions())
                    .hasSize(5);
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "a");
            admin.incrementalAlterConfigs(Map.of(
                            resource,
                            List.of(new AlterConfigOp(
                                    new ConfigEntry("segment.ms", "60000"), AlterConfigOp.OpType.SET))))
                    .all()
                    .get();
            var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            assertThat(config.get("retention.ms").value()).isEqualTo("1234");
            assertThat(config.get("segment.ms").value()).isEqualTo("60000");
            assertThat(config.get("min.insync.replicas").isReadOnly()).isTrue();
            assertThat(admin.listTopics().names().get()).containsExactly("a");
            admin.deleteTopics(List.of("a")).all().get();
            Awaitility.await()
                    .untilAsserted(
                            () -> assertThat(admin.listTopics().names().get()).isEmpty());
        }
    }

    @Test
    void offsetsAreFound() throws Exception {
        try (var producer = producer(Map.of())) {
            for (int i = 0; i < 10; i++) {
                producer.send(new ProducerRecord<>("times", 0, 1_000L + i, "k", "v"))
                        .get();
            }
        }
        TopicPartition partition = new TopicPartition("times", 0);
        try (var admin = admin()) {
            assertThat(offset(admin, partition, OffsetSpec.earliest())).isZero();
            assertThat(offset(admin, partition, OffsetSpec.latest())).isEqualTo(10);
            assertThat(offset(admin, partition, OffsetSpec.forTimestamp(1_004))).isEqualTo(4);
            assertThat(offset(admin, partition, OffsetSpec.maxTimestamp())).isEqualTo(9);
        }
    }

    private static long offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec))
                .partitionResult(partition)
                .get()
                .offset();
    }

    @Test
    void groupSharesPartitionsAndItsOffsetsSurviveARestart() throws Exception {
        try (var admin = admin()) {
            admin.createTopics(List.of(new NewTopic("shared", 4, (short) 1)))
                    .all()
                    .get();
        }
        send("shared", 0, 100);
        Map<String, Object> group = Map.of("group.id", "g", "group.protocol", "classic");
        try (var one = consumer(group);
                var two = consumer(group)) {
            one.subscribe(List.of("shared"));
            two.subscribe(List.of("shared"));
            Set<String> seen = new java.util.HashSet<>();
            Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> {
                one.poll(Duration.ofMillis(100)).forEach(record -> seen.add(record.value()));
                two.poll(Duration.ofMillis(100)).forEach(record -> seen.add(record.value()));
                return seen.size() == 100
                        && one.assignment().size() == 2
                        && two.assignment().size() == 2;
            });
            one.commitSync();
            two.commitSync();
            try (var admin = admin()) {
                assertThat(admin.describeConsumerGroups(List.of("g"))
                                .all()
                                .get()
                                .get("g")
                                .members())
                        .hasSize(2);
            }
        }
        node.stopGateway();
        node.startGateway();
        try (var admin = admin()) {
            Map<TopicPartition, OffsetAndMetadata> offsets = admin.listConsumerGroupOffsets("g")
                    .partitionsToOffsetAndMetadata()
                    .get();
            assertThat(offsets.values().stream()
                            .mapToLong(OffsetAndMetadata::offset)
                            .sum())
                    .isEqualTo(100);
            assertThat(admin.listGroups().all().get())
                    .anyMatch(listing -> listing.groupId().equals("g"));
            admin.deleteConsumerGroups(List.of("g")).all().get();
            assertThat(admin.listGroups().all().get()).isEmpty();
        }
    }

    @Test
    void transactionsAreRefused() {
        try (var producer = producer(Map.of("transactional.id", "tx"))) {
            assertThatThrownBy(producer::initTransactions)
                    .isInstanceOf(org.apache.kafka.common.errors.TransactionalIdAuthorizationException.class);
        }
    }
}
