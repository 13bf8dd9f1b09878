package io.sluice.routing.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.log.LogException;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamInfo;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Binding;
import io.sluice.routing.Binding.End;
import io.sluice.routing.Binding.Kind;
import io.sluice.routing.DirectMessage;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.ExchangeInfo.Type;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.Sessions.SessionInfo;
import io.sluice.routing.Subscriber;
import io.sluice.routing.SubscriberMatch;
import io.sluice.routing.Subscription;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.exchange.TopicExchange;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CatalogTest {
    private static final Caller CALLER =
            new Caller(new Principal("alice"), "/", (p, v, o, r) -> !r.name().startsWith("secret"), "test");

    private final FakeCore core = new FakeCore();
    private RoutingBroker broker;
    private VirtualHost host;

    @BeforeEach
    void open() {
        broker = core.broker();
        host = broker.virtualHost("/");
    }

    @AfterEach
    void close() {
        broker.close();
        core.close();
    }

    @Test
    void routesByExchangeType() {
        QueueRef a = queue("a");
        QueueRef b = queue("b");
        exchange("d", Type.DIRECT);
        exchange("f", Type.FANOUT);
        exchange("t", Type.TOPIC);
        bind("d", "a", "k");
        bind("f", "a", "");
        bind("f", "b", "ignored");
        bind("t", "a", "sensors.*.temp");
        bind("t", "b", "sensors.#");

        assertThat(queues(route("", "a"))).containsExactly(a);
        assertThat(queues(route("", "missing"))).isEmpty();
        assertThat(queues(route("d", "k"))).containsExactly(a);
        assertThat(queues(route("d", "K"))).isEmpty();
        assertThat(queues(route("f", "x"))).containsExactlyInAnyOrder(a, b);
        assertThat(queues(route("t", "sensors.7.temp"))).containsExactlyInAnyOrder(a, b);
        assertThat(queues(route("t", "sensors"))).containsExactly(b);
        assertThat(queues(route("t", "other"))).isEmpty();
        refused(Reason.NOT_FOUND, () -> route("nope", "k"));
        assertThat(route("amq.match", "k")).isSameAs(Route.BY_MESSAGE);
    }

    @Test
    void entersEachExchangeOnce() {
        QueueRef a = queue("a");
        exchange("x", Type.FANOUT);
        exchange("y", Type.FANOUT);
        bind(exchangeEnd("x"), exchangeEnd("y"), "");
        bind(exchangeEnd("y"), exchangeEnd("x"), "");
        bind("y", "a", "");
        assertThat(queues(route("x", "k"))).containsExactly(a);
        assertThat(queues(route("y", "k"))).containsExactly(a);
    }

    @Test
    void declarationsBehindAFailedOneDeclareNothing() {
        queue("q");
        CompletionStage<QueueRef> unequal = host.declareQueue(CALLER, declaration("q", false));
        CompletionStage<QueueRef> behind = host.declareQueue(CALLER, declaration("r", true), unequal);
        CompletionStage<QueueRef> last = host.declareQueue(CALLER, declaration("s", true), behind);
        refused(Reason.PRECONDITION_FAILED, () -> get(unequal));
        refused(Reason.UNAVAILABLE, () -> get(behind));
        refused(Reason.UNAVAILABLE, () -> get(last));
        assertThat(host.table().queue("r")).isNull();
        assertThat(host.table().queue("s")).isNull();
    }

    @Test
    void redeclarationIsEqualOrRefused() {
        QueueRef first = queue("q");
        assertThat(queue("q")).isSameAs(first);
        refused(Reason.PRECONDITION_FAILED, () -> get(host.declareQueue(CALLER, declaration("q", false))));
        exchange("x", Type.TOPIC);
        exchange("x", Type.TOPIC);
        refused(Reason.PRECONDITION_FAILED, () -> exchange("x", Type.FANOUT));
        exchange("amq.topic", Type.TOPIC);
    }

    @Test
    void namesHaveRules() {
        refused(Reason.ACCESS_REFUSED, () -> queue("amq.mine"));
        refused(Reason.ACCESS_REFUSED, () -> exchange("amq.mine", Type.TOPIC));
        refused(Reason.ACCESS_REFUSED, () -> stream("__catalog"));
        refused(Reason.ACCESS_REFUSED, () -> queue("secret"));
        refused(Reason.INVALID_NAME, () -> queue("q".repeat(256)));
        queue("amq.gen-1");
        queue("one");
        refused(Reason.PRECONDITION_FAILED, () -> stream("one"));
        stream("two");
        refused(Reason.PRECONDITION_FAILED, () -> queue("two"));
        refused(Reason.ACCESS_REFUSED, () -> get(host.deleteExchange(CALLER, "amq.topic", false)));
    }

    @Test
    void bindingsGoWithTheirEnds() {
        queue("a");
        exchange("x", Type.DIRECT);
        get(host.declareExchange(CALLER, new ExchangeInfo("auto", Type.FANOUT, true, true, false, Map.of())));
        bind("x", "a", "k");
        bind("auto", "a", "");
        refused(Reason.IN_USE, () -> get(host.deleteExchange(CALLER, "x", true)));
        get(host.deleteQueue(CALLER, "a", false, false));
        assertThat(host.bindings()).isEmpty();
        assertThat(host.table().exchange("auto")).as("auto-delete exchange").isNull();
        assertThat(host.table().exchange("x")).isNotNull();
        assertThat(get(host.deleteExchange(CALLER, "x", true))).isTrue();
        assertThat(get(host.deleteExchange(CALLER, "x", true))).isFalse();
        refused(Reason.NOT_FOUND, () -> bind("x", "a", "k"));
        refused(Reason.NOT_FOUND, () -> get(host.deleteQueue(CALLER, "a", false, false)));
    }

    @Test
    void mqttAndAmqpMeetOnTheTopicExchange() {
        QueueRef q = queue("q");
        bind("amq.topic", "q", "sensors.*.temp");
        StreamInfo stream = stream("telemetry");
        bind(exchangeEnd("amq.topic"), new End(Kind.STREAM, "telemetry"), "sensors.#");
        Client client = new Client("c1", null);
        get(host.subscribe(CALLER, new Subscription(client, "sensors/+/temp", 1, false, false, 0, 7)));

        Route mqtt = host.table().routeTopic("sensors/7/temp", 1, false, null);
        assertThat(queues(mqtt)).containsExactly(q);
        assertThat(mqtt.stored().stream(0).stream()).isEqualTo(stream.id());
        assertThat(mqtt.direct()).hasSize(1);
        SubscriberMatch match = mqtt.direct()[0].matches()[0];
        assertThat(match.subscriber()).isSameAs(client);
        assertThat(match.identifiers()).containsExactly(7);

        Route amqp = route("amq.topic", "sensors.7.temp");
        assertThat(queues(amqp)).containsExactly(q);
        assertThat(amqp.direct()[0].matches()[0].subscriber()).isSameAs(client);

        Route retained = host.table().routeTopic("other", 1, true, null);
        assertThat(retained.stored().streamCount()).isEqualTo(1);
        assertThat(host.table().routeTopic("other", 1, false, null).isEmpty()).isTrue();

        get(host.unsubscribe(CALLER, client, "sensors/+/temp"));
        assertThat(host.table().routeTopic("sensors/7/temp", 1, false, null).direct())
                .isEmpty();
    }

    @Test
    void overlappingSubscriptionsAreOneMatch() {
        Client client = new Client("c1", null);
        get(host.subscribe(CALLER, new Subscription(client, "a/#", 0, true, false, 0, 1)));
        get(host.subscribe(CALLER, new Subscription(client, "a/+", 1, false, true, 0, 2)));
        SubscriberMatch match =
                host.table().routeTopic("a/b", 1, false, null).direct()[0].matches()[0];
        assertThat(match.maximumQos()).isEqualTo(1);
        assertThat(match.noLocal()).isFalse();
        assertThat(match.retainAsPublished()).isTrue();
        assertThat(match.identifiers()).containsExactlyInAnyOrder(1, 2);
        refused(
                Reason.INVALID_NAME,
                () -> get(host.subscribe(CALLER, new Subscription(client, "a/#/b", 1, false, false, 0, 0))));
    }

    @Test
    void durableSessionsTakeQos1ThroughTheirQueue() {
        SessionInfo session = get(host.sessions().open(CALLER, "dev", 60));
        Client client = new Client("dev", session.queue());
        get(host.subscribe(CALLER, new Subscription(client, "a/b", 1, false, false, 0, 0)));
        assertThat(queues(host.table().routeTopic("a/b", 1, false, null))).containsExactly(session.queue());
        Route transientRoute = host.table().routeTopic("a/b", 0, false, null);
        assertThat(transientRoute.stored().isEmpty()).isTrue();
        assertThat(transientRoute.direct()).hasSize(1);
        assertThat(host.sessions().find("dev").subscriptions()).hasSize(1);

        Caller mallory = new Caller(new Principal("mallory"), "/", (p, v, o, r) -> true, "test");
        refused(Reason.ACCESS_REFUSED, () -> get(host.sessions().open(mallory, "dev", 60)));
        refused(Reason.ACCESS_REFUSED, () -> get(host.deleteQueue(CALLER, "mqtt-session.dev", false, false)));

        get(host.sessions().delete(CALLER, "dev"));
        assertThat(host.sessions().find("dev")).isNull();
        assertThat(host.table().routeTopic("a/b", 1, false, null).isEmpty()).isTrue();
        assertThat(core.open.keySet()).containsExactly(QueueId.ofDelayed("/"));
    }

    @Test
    void anUnsubscribeOfAReplacedSessionLeavesItsSuccessorAlone() {
        Client old = new Client("c", null);
        Client successor = new Client("c", null);
        get(host.subscribe(CALLER, new Subscription(old, "a", 1, false, false, 0, 0)));
        get(host.subscribe(CALLER, new Subscription(successor, "a", 1, false, false, 0, 0)));
        get(host.unsubscribe(CALLER, old, "a"));
        assertThat(host.table()
                        .routeTopic("a", 0, false, null)
                        .direct()[0]
                        .matches()[0]
                        .subscriber())
                .isSameAs(successor);
    }

    @Test
    void refusesCyclesOverStreamsAndNamesThem() {
        stream("s");
        exchange("x", Type.FANOUT);
        exchange("y", Type.FANOUT);
        bind(new End(Kind.STREAM, "s"), exchangeEnd("x"), "");
        bind(exchangeEnd("x"), exchangeEnd("y"), "");
        assertThatThrownBy(() -> bind(exchangeEnd("y"), new End(Kind.STREAM, "s"), ""))
                .hasMessageContaining("exchange:y -> stream:s -> exchange:x -> exchange:y")
                .extracting(e -> ((RoutingException) e).reason())
                .isEqualTo(Reason.CYCLE);
        bind(exchangeEnd("y"), exchangeEnd("x"), "");
        assertThat(host.bindings()).hasSize(3);
    }

    @Test
    void aRefusedAppendChangesNothing() {
        queue("kept");
        RoutingTable before = host.table();
        core.refuseNext.set(new LogException(LogException.Reason.DISK_FULL, "disk full"));
        refused(Reason.UNAVAILABLE, () -> queue("lost"));
        assertThat(host.table()).isSameAs(before);
        assertThat(core.open).hasSize(2).containsKey(QueueId.ofDelayed("/"));
        queue("lost");
        assertThat(host.table().queue("lost")).isNotNull();
    }

    @Test
    void transientObjectsAreNotLogged() {
        int before = core.appended.size();
        get(host.declareQueue(CALLER, declaration("t", false)));
        get(host.declareExchange(CALLER, new ExchangeInfo("tx", Type.FANOUT, false, false, false, Map.of())));
        bind("tx", "t", "");
        // The only record is the reservation of numbers.
        assertThat(core.appended.subList(before, core.appended.size()).stream()
                        .mapToInt(batch -> batch.size())
                        .sum())
                .isLessThanOrEqualTo(1);
        assertThat(queues(route("tx", ""))).hasSize(1);
    }

    @Test
    void aFilterBindingKeepsMqttRules() {
        QueueRef q = queue("q");
        get(host.bind(
                CALLER,
                new Binding(
                        exchangeEnd("amq.topic"),
                        new End(Kind.QUEUE, "q"),
                        "#",
                        Map.of(TopicExchange.MQTT_FILTER, "#"),
                        Binding.Origin.API)));
        assertThat(queues(route("amq.topic", "a.b"))).containsExactly(q);
        assertThat(queues(route("amq.topic", "$SYS.b"))).isEmpty();
    }

    @Test
    void whatOtherProtocolsSendToTheBrokersOwnTopicsReachesNoMqttSubscriber() {
        QueueRef all = queue("all");
        bind("amq.topic", "all", "#");
        for (String filter : List.of("#", "+/b", "$SYS/#", "$SYS/b", "$share")) {
            Client client = new Client(filter, null);
            get(host.subscribe(CALLER, new Subscription(client, filter, 1, false, false, 0, 0)));
        }
        for (String key : List.of("$SYS.b", "$share", "$other")) {
            assertThat(queues(route("amq.topic", key))).as(key).containsExactly(all);
            assertThat(route("amq.topic", key).direct()).as(key).isEmpty();
        }
        assertThat(route("amq.topic", "a.b").direct()).isNotEmpty();
    }

    @Test
    void twoStreamsNeverHaveOneNameForKafkaClients() {
        stream("a b");
        refused(Reason.PRECONDITION_FAILED, () -> stream("a_20b"));
        stream("x_2Fy");
        refused(Reason.PRECONDITION_FAILED, () -> stream("x/y"));
        get(host.deleteStream(CALLER, "a b"));
        stream("a_20b");
    }

    private QueueRef queue(String name) {
        return get(host.declareQueue(CALLER, declaration(name, true)));
    }

    private static QueueDeclaration declaration(String name, boolean durable) {
        return new QueueDeclaration(name, durable, false, false, QueuePolicy.NONE, Map.of());
    }

    private StreamInfo stream(String name) {
        return get(host.declareStream(CALLER, name, 1, StreamConfig.DEFAULT, Map.of()));
    }

    private void exchange(String name, Type type) {
        get(host.declareExchange(CALLER, new ExchangeInfo(name, type, true, false, false, Map.of())));
    }

    private static End exchangeEnd(String name) {
        return new End(Kind.EXCHANGE, name);
    }

    private void bind(String exchange, String queue, String key) {
        bind(exchangeEnd(exchange), new End(Kind.QUEUE, queue), key);
    }

    private void bind(End source, End destination, String key) {
        get(host.bind(CALLER, new Binding(source, destination, key, Map.of(), Binding.Origin.CLIENT)));
    }

    private Route route(String exchange, String key) {
        return host.table().route(exchange, key, 1, null);
    }

    private static List<QueueRef> queues(Route route) {
        TargetSet stored = route.stored();
        List<QueueRef> queues = new ArrayList<>();
        for (int i = 0; i < stored.queueCount(); i++) {
            queues.add(stored.queue(i));
        }
        return queues;
    }

    private static void refused(Reason reason, ThrowingCallable call) {
        assertThatThrownBy(call)
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
        private static final Executor LOOP = Runnable::run;

        @Override
        public Executor executor() {
            return LOOP;
        }

        @Override
        public void deliver(DirectMessage message, SubscriberMatch match) {}

        @Override
        public void flush() {}
    }
}
