package io.sluice.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.sluice.access.Authorizer;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.log.StreamConfig;
import io.sluice.queue.QueuePolicy;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.catalog.RoutingBroker;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The native door over the embedded engine, the core shard and the catalog, with a restart in between. */
class RealCoreTest {
    @TempDir
    Path directory;

    /** A broker with nothing but the native door. */
    private static final class Node implements AutoCloseable {
        private final LocalLogEngine engine;
        private final Core core;
        private final RoutingBroker broker;
        private final NativeGateway gateway;
        private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
        private final Channel listener;

        Node(Path directory) {
            SystemClock clock = new SystemClock();
            engine = LocalLogEngine.open(directory, LocalLogSettings.DEFAULT, new DiskFileSystem(), clock);
            core = Core.start(engine, clock, CoreSettings.DEFAULT);
            broker = RoutingBroker.open(engine, core.shard(), core.queues(), clock);
            gateway = new NativeGateway(
                    broker,
                    credentials -> CompletableFuture.completedFuture(
                            Optional.of(new Caller(Principal.ANONYMOUS, "/", Authorizer.PERMIT_ALL, "kafka test"))),
                    NativeSettings.DEFAULT);
            gateway.start();
            listener = new ServerBootstrap()
                    .group(loops)
                    .channel(NioServerSocketChannel.class)
                    .childHandler(gateway.initializer())
                    .bind("127.0.0.1", 0)
                    .syncUninterruptibly()
                    .channel();
        }

        int port() {
            return ((InetSocketAddress) listener.localAddress()).getPort();
        }

        String bootstrap() {
            return "127.0.0.1:" + port();
        }

        @Override
        public void close() {
            listener.close().syncUninterruptibly();
            gateway.close();
            broker.close();
            core.close();
            engine.close();
            loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    @Test
    void recordsAndCommittedOffsetsSurviveARestart() throws Exception {
        TopicPartition partition = new TopicPartition("readings", 0);
        try (Node node = new Node(directory)) {
            try (var producer = producer(node)) {
                for (int i = 0; i < 1_000; i++) {
                    producer.send(new ProducerRecord<>(partition.topic(), "k" + i, "v" + i));
                }
                producer.flush();
            }
            try (var consumer = consumer(node)) {
                consumer.subscribe(List.of(partition.topic()));
                assertThat(poll(consumer, 1_000)).hasSize(1_000);
                consumer.commitSync(Map.of(partition, new OffsetAndMetadata(400)));
            }
        }
        try (Node node = new Node(directory);
                var producer = producer(node);
                var consumer = consumer(node)) {
            producer.send(new ProducerRecord<>(partition.topic(), "last", "last"))
                    .get(20, TimeUnit.SECONDS);
            consumer.subscribe(List.of(partition.topic()));
            List<String> values = poll(consumer, 601);
            assertThat(values).hasSize(601).startsWith("v400").endsWith("last");
        }
    }

    @Test
    void streamsWithNamesThatKafkaDoesNotHaveAreTopics() throws Exception {
        Caller caller = Caller.broker("/");
        try (Node node = new Node(directory);
                Admin admin = Admin.create(Map.of("bootstrap.servers", node.bootstrap()));
                var producer = producer(node);
                var consumer = consumer(node)) {
            VirtualHost host = node.broker.virtualHost("/");
            host.declareStream(caller, "readings/hall 1", 1, StreamConfig.DEFAULT, Map.of())
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
            String topic = "readings_2Fhall_201";
            assertThat(admin.listTopics().names().get()).containsExactly(topic);
            producer.send(new ProducerRecord<>(topic, "k", "v")).get(20, TimeUnit.SECONDS);
            consumer.subscribe(List.of(topic));
            assertThat(poll(consumer, 1)).containsExactly("v");
            consumer.commitSync();
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2)))
                    .all()
                    .get();
            assertThat(host.table().stream("readings/hall 1").partitions()).isEqualTo(2);
            assertThat(host.table().stream(topic)).isNull();
            assertThatThrownBy(() -> admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1)))
                            .all()
                            .get())
                    .hasCauseInstanceOf(TopicExistsException.class);
            admin.deleteTopics(List.of(topic)).all().get();
            assertThat(host.table().stream("readings/hall 1")).isNull();
        }
    }

    @Test
    void theNameOfAQueueIsNoTopic() throws Exception {
        try (Node node = new Node(directory);
                var producer = producer(node)) {
            node.broker
                    .virtualHost("/")
                    .declareQueue(
                            Caller.broker("/"),
                            new QueueDeclaration(
                                    "jobs",
                                    true,
                                    false,
                                    false,
                                    QueuePolicy.builder().build(),
                                    Map.of()))
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
            assertThatThrownBy(() -> producer.send(new ProducerRecord<>("jobs", "k", "v"))
                            .get(20, TimeUnit.SECONDS))
                    .hasCauseInstanceOf(InvalidTopicException.class);
        }
    }

    @Test
    void producerIdsAreNotGivenTwiceOverRestarts() throws Exception {
        List<Long> ids = new ArrayList<>();
        for (int start = 0; start < 3; start++) {
            try (Node node = new Node(directory);
                    Socket socket = new Socket("127.0.0.1", node.port())) {
                socket.setSoTimeout(20_000);
                for (int i = 0; i < 3; i++) {
                    ids.add(producerId(socket));
                }
            }
        }
        assertThat(ids).containsExactly(0L, 1L, 2L, 1_000L, 1_001L, 1_002L, 2_000L, 2_001L, 2_002L);
    }

    /** InitProducerId version 0 without a transactional id. */
    private static long producerId(Socket socket) throws IOException {
        ByteBuffer request = ByteBuffer.allocate(20)
                .putInt(16)
                .putShort(ApiKeys.INIT_PRODUCER_ID.id)
                .putShort((short) 0)
                .putInt(1)
                .putShort((short) -1)
                .putShort((short) -1)
                .putInt(60_000);
        socket.getOutputStream().write(request.array());
        DataInputStream in = new DataInputStream(socket.getInputStream());
        ByteBuffer answer = ByteBuffer.wrap(in.readNBytes(in.readInt()));
        assertThat(answer.getShort(8)).as("error").isZero();
        return answer.getLong(10);
    }

    private static List<String> poll(KafkaConsumer<String, String> consumer, int count) {
        List<String> values = new ArrayList<>();
        Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> {
            consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
            return values.size() >= count;
        });
        return values;
    }

    private static KafkaProducer<String, String> producer(Node node) {
        return new KafkaProducer<>(Map.of(
                "bootstrap.servers",
                node.bootstrap(),
                "key.serializer",
                StringSerializer.class,
                "value.serializer",
                StringSerializer.class,
                "compression.type",
                "lz4",
                "max.block.ms",
                15_000));
    }

    private static KafkaConsumer<String, String> consumer(Node node) {
        return new KafkaConsumer<>(Map.of(
                "bootstrap.servers",
                node.bootstrap(),
                "key.deserializer",
                StringDeserializer.class,
                "value.deserializer",
                StringDeserializer.class,
                "group.id",
                "g",
                "auto.offset.reset",
                "earliest",
                "enable.auto.commit",
                false));
    }
}
