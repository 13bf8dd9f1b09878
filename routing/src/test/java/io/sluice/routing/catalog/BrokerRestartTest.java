package io.sluice.routing.catalog;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamInfo;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.queue.DeathReason;
import io.sluice.queue.MessageGroups;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.Republisher;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Binding;
import io.sluice.routing.Binding.Origin;
import io.sluice.routing.DirectMessage;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.Subscriber;
import io.sluice.routing.SubscriberMatch;
import io.sluice.routing.Subscription;
import io.sluice.routing.VirtualHost;
import io.sluice.shard.PublishBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BrokerRestartTest {
    private static final Caller CALLER = Caller.broker("/");
    private static final Queue<String> LEAKS = new ConcurrentLinkedQueue<>();

    private final FakeCore.Disk disk = new FakeCore.Disk();
    private FakeCore core = new FakeCore(disk);
    private RoutingBroker broker = core.broker();
    private VirtualHost host = broker.virtualHost("/");

    @BeforeAll
    static void watchBuffers() {
        ByteBufUtil.setLeakListener((type, records) -> LEAKS.add(type + ": " + records));
    }

    /** A leak is found when it was collected and the next buffer is allocated. */
    @AfterAll
    static void nothingLeaked() {
        for (int i = 0; i < 3; i++) {
            System.gc();
            System.runFinalization();
            UnpooledByteBufAllocator.DEFAULT.directBuffer(1).release();
        }
        assertThat(LEAKS).as("buffers not released").isEmpty();
    }

    @AfterEach
    void stop() {
        core.kill();
    }

    private void restart() {
        core.kill();
        disk.untilCrash = Integer.MAX_VALUE;
        core = new FakeCore(disk);
        broker = core.broker();
        host = broker.virtualHost("/");
    }

    @Test
    void durableObjectsComeBackAndTransientOnesDoNot() {
        get(host.declareExchange(
                CALLER, new ExchangeInfo("x", ExchangeInfo.Type.TOPIC, true, false, false, Map.of("a", "b"))));
        get(host.declareExchange(
                CALLER, new ExchangeInfo("tx", ExchangeInfo.Type.TOPIC, false, false, false, Map.of())));
        QueueRef q = queue(
                "q",
                QueuePolicy.builder()
                        .deadLetterExchange("dlx")
                        .deadLetterKey("key")
                        .deliveryLimit(3)
                        .groups(new MessageGroups(MessageGroups.By.KEY, true))
                        .build());
        queue("gone", QueuePolicy.NONE);
        get(host.deleteQueue(CALLER, "gone", false, false));
        get(host.declareQueue(CALLER, new QueueDeclaration("tq", false, false, false, QueuePolicy.NONE, Map.of())));
        StreamInfo s = get(host.declareStream(CALLER, "s", 3, StreamConfig.DEFAULT, Map.of("retention.ms", "5")));
        bind("exchange:x", "queue:q", "a.#");
        bind("exchange:x", "queue:tq", "a.#");
        bind("exchange:amq.topic", "stream:s", "s.*");

        restart();

        assertThat(host.table().exchange("x").arguments()).containsEntry("a", "b");
        assertThat(host.table().exchange("tx")).isNull();
        assertThat(host.table().queue("tq")).isNull();
        assertThat(host.table().queue("gone")).isNull();
        assertThat(host.table().queue("q").id()).isEqualTo(q.id());
        assertThat(host.table().queueDeclaration("q").policy())
                .isEqualTo(QueuePolicy.builder()
                        .deadLetterExchange("dlx")
                        .deadLetterKey("key")
                        .deliveryLimit(3)
                        .groups(new MessageGroups(MessageGroups.By.KEY, true))
                        .build());
        assertThat(host.table().stream("s")).isEqualTo(s);
        assertThat(host.streamName(s.id())).isEqualTo("s");
        assertThat(host.streamConfigs("s")).containsEntry("retention.ms", "5");
        assertThat(host.bindings()).hasSize(2);
        assertThat(host.table().route("x", "a.b", 1, null).stored().queueCount())
                .isEqualTo(1);
        assertThat(host.table().route("amq.topic", "s.1", 1, null).stored().stream(0))
                .isEqualTo(new StreamTarget(s.id(), 3));
        assertThat(queue("new", QueuePolicy.NONE).id().value()).isGreaterThan(q.id().value() + 2);
    }

    @Test
    void streamsWithoutARecordAreRemovedAtStart() {
        StreamInfo kept = get(host.declareStream(CALLER, "kept", 1, StreamConfig.DEFAULT, Map.of()));
        disk.untilCrash = 0;
        CompletionStage<StreamInfo> lost = host.declareStream(CALLER, "lost", 1, StreamConfig.DEFAULT, Map.of());
        await().until(() ->
                disk.streams.values().stream().anyMatch(info -> info.name().equals("lost")));
        restart();
        assertThat(lost.toCompletableFuture()).isNotDone();
        assertThat(disk.streams.values()).noneMatch(info -> info.name().equals("lost"));
        assertThat(host.table().stream("kept")).isEqualTo(kept);
    }

    @Test
    void sessionsAndTheirSubscriptionsComeBack() {
        QueueRef queue = get(host.sessions().open(CALLER, "dev", 60)).queue();
        Client client = new Client("dev", queue);
        get(host.subscribe(CALLER, new Subscription(client, "a/+", 1, false, true, 0, 5)));
        get(host.subscribe(CALLER, new Subscription(client, "b", 1, false, true, 0, 5)));
        get(host.unsubscribe(CALLER, client, "b"));
        get(host.sessions().update(CALLER, "dev", 60, 77));
        restart();
        assertThat(host.table().routeTopic("a/b", 1, false, null).isEmpty()).isTrue();
        host.sessions().restore(info -> new Client(info.clientId(), info.queue()));
        assertThat(host.table()
                        .routeTopic("a/b", 1, false, null)
                        .stored()
                        .queue(0)
                        .id())
                .isEqualTo(queue.id());
        assertThat(host.table().routeTopic("b", 1, false, null).isEmpty()).isTrue();
        assertThat(host.sessions().find("dev").disconnectedAt()).isEqualTo(77);
        assertThat(host.sessions().find("dev").subscriptions()).hasSize(1);
    }

    @Test
    void retainedMessagesAreReplacedClearedAndRebuilt() {
        publishRetained("a/b", "1");
        publishRetained("a/b", "2");
        publishRetained("a/c", "3");
        publishRetained("$SYS/x", "4");
        publishRetained("gone", "5");
        publishRetained("gone", "");
        // the index follows the stream a moment later
        await().untilAsserted(() -> assertThat(retained("#")).containsExactlyInAnyOrder("a/b=2", "a/c=3"));
        restart();
        assertThat(host.retained().size()).isEqualTo(3);
        assertThat(retained("#")).containsExactlyInAnyOrder("a/b=2", "a/c=3");
        assertThat(retained("a/+")).containsExactlyInAnyOrder("a/b=2", "a/c=3");
        assertThat(retained("a/b/#")).containsExactly("a/b=2");
        assertThat(retained("$SYS/#")).containsExactly("$SYS/x=4");
        assertThat(retained("gone")).isEmpty();
        assertThat(retained("+")).isEmpty();
    }

    /** The power goes after any number of stored publishes; every record still arrives once. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 7, 12, 19})
    void aBridgePassesEveryRecordOnExactlyOnce(int crashAfter) {
        StreamInfo stream = get(host.declareStream(CALLER, "commands", 2, StreamConfig.DEFAULT, Map.of()));
        QueueRef queue = queue("q", QueuePolicy.NONE);
        bind("exchange:amq.topic", "queue:q", "#");
        produce(stream, 0, "before the binding");
        bind("stream:commands", "exchange:amq.topic", "");
        disk.untilCrash = crashAfter;
        for (int i = 0; i < 20; i++) {
            produce(stream, i % 2, "m" + i);
        }
        restart();
        for (int i = 20; i < 25; i++) {
            produce(stream, i % 2, "m" + i);
        }
        List<String> expected = new ArrayList<>();
        core.log(new PartitionId(stream.id(), 0)).views().stream().skip(1).forEach(r -> expected.add(value(r)));
        core.log(new PartitionId(stream.id(), 1)).views().forEach(r -> expected.add(value(r)));
        assertThat(expected).contains("m24");
        await().atMost(10, TimeUnit.SECONDS)
                .untilAsserted(
                        () -> assertThat(disk.queued.getOrDefault(queue.id().value(), List.of()))
                                .extracting(BrokerRestartTest::value)
                                .containsExactlyInAnyOrderElementsOf(expected));
        RecordView copy =
                new RecordView().wrap(disk.queued.get(queue.id().value()).get(0), 0, 0, 0);
        assertThat(copy.findHeader(MessageHeaders.EXCHANGE)).isTrue();
        assertThat(new String(copy.headerValue(), UTF_8)).isEqualTo("amq.topic");
        assertThat(copy.findHeader(MessageHeaders.ROUTING_KEY)).isTrue();
        assertThat(new String(copy.headerValue(), UTF_8)).isEqualTo("commands");
    }

    @Test
    void aBridgeStopsWithItsBindingAndWaitsOutARefusal() {
        StreamInfo stream = get(host.declareStream(CALLER, "s", 1, StreamConfig.DEFAULT, Map.of()));
        QueueRef queue = queue("q", QueuePolicy.NONE);
        bind("exchange:amq.fanout", "queue:q", "");
        bind("stream:s", "exchange:amq.fanout", "");
        produce(stream, 0, "one");
        await().until(() -> queued(queue).equals(List.of("one")));
        Routes routes = new Routes(broker);
        get(routes.remove(CALLER, new Routes.Spec("stream:s", "exchange:amq.fanout", null, "/")));
        produce(stream, 0, "two");
        bind("stream:s", "exchange:amq.fanout", "");
        produce(stream, 0, "three");
        await().until(() -> queued(queue).equals(List.of("one", "three")));
    }

    @Test
    void deadLettersCarryTheirHistoryInOneList() {
        QueueRef target = queue("dead", QueuePolicy.NONE);
        QueueRef source = queue(
                "work",
                QueuePolicy.builder()
                        .deadLetterExchange("")
                        .deadLetterKey("dead")
                        .build());
        QueueRef nowhere = queue(
                "nowhere", QueuePolicy.builder().deadLetterExchange("missing").build());
        StreamInfo feed = get(host.declareStream(CALLER, "feed", 1, StreamConfig.DEFAULT, Map.of()));
        produce(feed, 0, "poison");
        assertThat(die(nowhere, feed, 0)).succeedsWithin(5, TimeUnit.SECONDS);
        assertThat(queued(target)).isEmpty();
        assertThat(die(source, feed, 0)).succeedsWithin(5, TimeUnit.SECONDS);
        assertThat(queued(target)).containsExactly("poison");
        RecordView copy =
                new RecordView().wrap(disk.queued.get(target.id().value()).get(0), 0, 0, 0);
        List<String> headers = new ArrayList<>();
        while (copy.nextHeader()) {
            headers.add(copy.headerName() + "=" + new String(copy.headerValue(), UTF_8));
        }
        assertThat(headers)
                .containsExactly(
                        "sl.routing-key=dead",
                        "sl.death.reason=rejected",
                        "sl.death.queue=work",
                        "sl.death.count=1",
                        "sl.death.time=1000000",
                        "sl.death.exchange=",
                        "sl.death.key=k");
    }

    @Test
    void aDeadLetterRefusedForOverloadIsReportedAndStoredAtTheNextAttempt() {
        QueueRef target = queue("dead", QueuePolicy.NONE);
        QueueRef source = queue(
                "work",
                QueuePolicy.builder()
                        .deadLetterExchange("")
                        .deadLetterKey("dead")
                        .build());
        StreamInfo feed = get(host.declareStream(CALLER, "feed", 1, StreamConfig.DEFAULT, Map.of()));
        produce(feed, 0, "poison");
        core.refuseNext.set(new LogException(LogException.Reason.OVERLOADED, "busy"));
        assertThat(die(source, feed, 0)).failsWithin(5, TimeUnit.SECONDS);
        assertThat(queued(target)).isEmpty();
        assertThat(die(source, feed, 0)).succeedsWithin(5, TimeUnit.SECONDS);
        assertThat(queued(target)).containsExactly("poison");
    }

    @Test
    void routesCreateStreamsAndQueuesAndKeepTheConfiguredOnes() {
        Routes routes = new Routes(broker);
        get(routes.add(CALLER, new Routes.Spec("mqtt:sensors/+/temp", "stream:telemetry", null, "/"), Origin.API));
        get(routes.configure(List.of(new Routes.Spec("exchange:amq.topic", "queue:all", null, "/"))));
        assertThat(host.table().stream("telemetry")).isNotNull();
        assertThat(host.table()
                        .routeTopic("sensors/7/temp", 0, false, null)
                        .stored()
                        .streamCount())
                .isEqualTo(1);
        assertThat(routes.list(CALLER, "/"))
                .containsExactlyInAnyOrder(
                        new Routes.Listed("mqtt:sensors/+/temp", "stream:telemetry", "sensors.*.temp", "/", Origin.API),
                        new Routes.Listed("exchange:amq.topic", "queue:all", "#", "/", Origin.CONFIG));
        refused(
                Reason.ACCESS_REFUSED,
                routes.remove(CALLER, new Routes.Spec("exchange:amq.topic", "queue:all", null, "/")));
        refused(Reason.NOT_FOUND, routes.remove(CALLER, new Routes.Spec("mqtt:x", "queue:all", null, "/")));
        refused(
                Reason.NOT_FOUND,
                routes.add(CALLER, new Routes.Spec("exchange:nope", "queue:all", null, "/"), Origin.API));
        refused(
                Reason.INVALID_NAME,
                routes.add(CALLER, new Routes.Spec("topic:x", "queue:all", null, "/"), Origin.API));
        refused(
                Reason.INVALID_NAME,
                routes.add(CALLER, new Routes.Spec("queue:all", "stream:s", null, "/"), Origin.API));
        refused(
                Reason.CYCLE,
                routes.add(CALLER, new Routes.Spec("stream:telemetry", "exchange:amq.topic", null, "/"), Origin.API));
        get(routes.remove(CALLER, new Routes.Spec("mqtt:sensors/+/temp", "stream:telemetry", null, "/")));
        restart();
        get(new Routes(broker).configure(List.of()));
        assertThat(host.bindings()).isEmpty();
    }

    @Test
    void aRefusedRouteLeavesNoStreamAndNoQueueBehind() {
        Routes routes = new Routes(broker);
        for (String[] ends : new String[][] {
            {"exchange:nope", "stream:leftover"},
            {"exchange:nope", "queue:leftover"},
            {"stream:leftover", "exchange:nope"},
            {"exchange:", "queue:leftover"},
            {"stream:leftover", "queue:leftover"},
        }) {
            assertThat(routes.add(CALLER, new Routes.Spec(ends[0], ends[1], null, "/"), Origin.API))
                    .as("%s to %s", ends[0], ends[1])
                    .failsWithin(5, TimeUnit.SECONDS)
                    .withThrowableThat()
                    .withCauseInstanceOf(RoutingException.class);
            assertThat(host.table().stream("leftover"))
                    .as("stream of %s to %s", ends[0], ends[1])
                    .isNull();
            assertThat(host.table().queue("leftover"))
                    .as("queue of %s to %s", ends[0], ends[1])
                    .isNull();
        }
        assertThat(host.bindings()).isEmpty();
    }

    @Test
    void routesInACircleSharedOnesAndUnknownOnesAreRefusedInWords() {
        Routes routes = new Routes(broker);
        get(routes.add(CALLER, new Routes.Spec("exchange:amq.topic", "exchange:amq.fanout", null, "/"), Origin.API));
        refused(
                "exchange:amq.fanout -> exchange:amq.topic -> exchange:amq.fanout",
                routes.add(
                        CALLER, new Routes.Spec("exchange:amq.fanout", "exchange:amq.topic", null, "/"), Origin.API));
        refused(
                "exchange:amq.direct -> exchange:amq.direct",
                routes.add(
                        CALLER, new Routes.Spec("exchange:amq.direct", "exchange:amq.direct", null, "/"), Origin.API));
        refused(
                "cannot share them",
                routes.add(CALLER, new Routes.Spec("mqtt:$share/g/sensors/#", "queue:all", null, "/"), Origin.API));
        refused(
                "there is no route from exchange:amq.topic to exchange:amq.direct",
                routes.remove(CALLER, new Routes.Spec("exchange:amq.topic", "exchange:amq.direct", null, "/")));
        refused(
                "there is no route from exchange:amq.topic to exchange:amq.fanout with key 'other'",
                routes.remove(CALLER, new Routes.Spec("exchange:amq.topic", "exchange:amq.fanout", "other", "/")));
        assertThat(host.bindings()).hasSize(1);
        assertThat(host.table().queue("all")).isNull();
    }

    private static void refused(String words, CompletionStage<?> stage) {
        assertThatThrownBy(() -> get(stage)).hasMessageContaining(words);
    }

    private CompletableFuture<Void> die(QueueRef queue, StreamInfo from, long offset) {
        CompletableFuture<Void> settled = new CompletableFuture<>();
        core.execute(() -> core.log(new PartitionId(from.id(), 0))
                .partition()
                .loadBatch(offset, Runnable::run)
                .thenAccept(batch -> core.republisher.deadLetter(
                        queue.spec(), batch, offset, DeathReason.REJECTED, 0, outcome(settled))));
        return settled;
    }

    private static Republisher.Outcome outcome(CompletableFuture<Void> settled) {
        return new Republisher.Outcome() {
            @Override
            public void settled() {
                settled.complete(null);
            }

            @Override
            public void failed(LogException error) {
                settled.completeExceptionally(error);
            }
        };
    }

    private List<String> queued(QueueRef queue) {
        return disk.queued.getOrDefault(queue.id().value(), List.of()).stream()
                .map(BrokerRestartTest::value)
                .toList();
    }

    private static String value(ByteBuf record) {
        return value(new RecordView().wrap(record, 0, 0, 0));
    }

    private static String value(RecordView record) {
        return record.valueSlice().toString(UTF_8);
    }

    private void produce(StreamInfo stream, int partition, String value) {
        publish(
                new TargetSet(List.of(), List.of(new StreamTarget(stream.id(), stream.partitions()))),
                partition,
                "k",
                value,
                null);
    }

    private void publishRetained(String topic, String value) {
        publish(host.table().routeTopic(topic, 1, true, null).stored(), 0, topic, value, "1");
    }

    private void publish(TargetSet targets, int hash, String key, String value, String qos) {
        PublishBatch batch = new PublishBatch(
                CALLER,
                new PublishBatch.Completion() {
                    @Override
                    public Executor executor() {
                        return core;
                    }

                    @Override
                    public void completed(PublishBatch done, LogException error) {}
                },
                UnpooledByteBufAllocator.DEFAULT,
                256);
        batch.begin();
        RecordFields.writeBytes(batch.buffer(), key.getBytes(UTF_8));
        RecordFields.writeBytes(batch.buffer(), value.getBytes(UTF_8));
        batch.headers();
        if (qos != null) {
            RecordFields.writeHeader(batch.buffer(), MessageHeaders.QOS, qos.getBytes(UTF_8));
        }
        batch.end(qos == null ? 0 : 1, targets, hash, 1, Durability.GROUP, 0);
        core.submit(batch);
        CompletableFuture.runAsync(() -> {}, core)
                .orTimeout(10, TimeUnit.SECONDS)
                .join();
    }

    private List<String> retained(String filter) {
        List<String> got = new ArrayList<>();
        CompletableFuture<Void> done = new CompletableFuture<>();
        host.retained()
                .match(
                        filter,
                        core,
                        message -> {
                            RecordView record = new RecordView();
                            message.record(record);
                            got.add(message.topic() + "=" + value(record));
                        },
                        () -> done.complete(null));
        done.orTimeout(10, TimeUnit.SECONDS).join();
        return got;
    }

    private QueueRef queue(String name, QueuePolicy policy) {
        return get(host.declareQueue(CALLER, new QueueDeclaration(name, true, false, false, policy, Map.of())));
    }

    private void bind(String from, String to, String key) {
        get(host.bind(CALLER, new Binding(end(from), end(to), key, Map.of(), Origin.CLIENT)));
    }

    private static Binding.End end(String text) {
        String[] parts = text.split(":");
        return new Binding.End(Binding.Kind.valueOf(parts[0].toUpperCase(java.util.Locale.ROOT)), parts[1]);
    }

    private static void refused(Reason reason, CompletionStage<?> stage) {
        assertThatThrownBy(() -> get(stage))
                .isInstanceOfSatisfying(
                        RoutingException.class, e -> assertThat(e.reason()).isEqualTo(reason));
    }

    private static <T> T get(CompletionStage<T> stage) {
        try {
            return stage.toCompletableFuture().orTimeout(10, TimeUnit.SECONDS).join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RoutingException refusal) {
                throw refusal;
            }
            throw e;
        }
    }

    private record Client(String clientId, QueueRef queue) implements Subscriber {
        @Override
        public Executor executor() {
            return Runnable::run;
        }

        @Override
        public void deliver(DirectMessage message, SubscriberMatch match) {}

        @Override
        public void flush() {}
    }
}
