package io.sluice.routing.catalog;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.access.Caller;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueuePolicy;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.Sessions;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.policy.Policy;
import io.sluice.routing.policy.PolicyCheck;
import io.sluice.routing.policy.PolicyTarget;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(30)
class PolicyTest {
    private static final Caller CALLER = Caller.broker("/");

    private final FakeCore.Disk disk = new FakeCore.Disk();
    private FakeCore core = new FakeCore(disk);
    private RoutingBroker broker = core.broker();
    private VirtualHost host = broker.virtualHost("/");

    @AfterEach
    void stop() {
        core.kill();
    }

    private static <T> T get(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private boolean set(boolean operator, String name, String pattern, long priority, Map<String, Object> definition)
            throws Exception {
        return get(host.setPolicy(CALLER, operator, new Policy(name, pattern, PolicyTarget.ALL, priority, definition)));
    }

    private void declare(String name, QueuePolicy declared, Map<String, String> arguments) throws Exception {
        get(host.declareQueue(CALLER, new QueueDeclaration(name, true, false, false, declared, arguments)));
    }

    private QueuePolicy inForce(String queue) {
        return host.table().queue(queue).spec().policy();
    }

    @Test
    void itHoldsForQueuesThatAreThereAndForLaterOnesAndNoLongerOnceItIsRemoved() throws Exception {
        declare("before", QueuePolicy.NONE, Map.of());
        declare("other", QueuePolicy.NONE, Map.of());
        assertThat(set(false, "p", "e[fg]", 0, Map.of("max-length", 3L, "dead-letter-exchange", "dlx")))
                .isTrue();
        declare("regent", QueuePolicy.NONE, Map.of());
        QueuePolicy wanted =
                QueuePolicy.builder().maxLength(3).deadLetterExchange("dlx").build();
        assertThat(inForce("before")).isEqualTo(wanted);
        assertThat(inForce("regent")).isEqualTo(wanted);
        assertThat(inForce("other")).isEqualTo(QueuePolicy.NONE);
        assertThat(host.table().queuePolicy("before").policy().name()).isEqualTo("p");
        assertThat(host.table().queueDeclaration("before").policy()).isEqualTo(QueuePolicy.NONE);

        assertThat(set(false, "p", "e[fg]", 0, Map.of("max-length", 4L))).isFalse();
        assertThat(inForce("before").maxLength()).isEqualTo(4);
        assertThat(inForce("before").deadLetterExchange()).isNull();
        assertThat(get(host.removePolicy(CALLER, false, "p"))).isTrue();
        assertThat(get(host.removePolicy(CALLER, false, "p"))).isFalse();
        assertThat(inForce("before")).isEqualTo(QueuePolicy.NONE);
        assertThat(inForce("regent")).isEqualTo(QueuePolicy.NONE);
    }

    @Test
    void itComesBackWithTheBrokerAndSoDoesItsRemoval() throws Exception {
        declare("q", QueuePolicy.NONE, Map.of());
        set(false, "p", "q", 7, Map.of("message-ttl", 5L, "overflow", "reject-publish"));
        set(true, "o", ".*", 0, Map.of("max-length", 2L));
        set(false, "gone", ".*", 9, Map.of("expires", 1L));
        get(host.removePolicy(CALLER, false, "gone"));
        Policy before = host.table().policies().find(false, "p");

        core.kill();
        core = new FakeCore(disk);
        broker = core.broker();
        host = broker.virtualHost("/");

        assertThat(host.table().policies().find(false, "p")).isEqualTo(before);
        assertThat(host.table().policies().all(true)).extracting(Policy::name).containsExactly("o");
        assertThat(host.table().policies().find(false, "gone")).isNull();
        assertThat(inForce("q"))
                .isEqualTo(QueuePolicy.builder()
                        .messageTtl(5)
                        .maxLength(2)
                        .overflow(Overflow.REJECT_PUBLISH)
                        .build());
    }

    @Test
    void ofSeveralTheFirstByPriorityAppliesAlone() throws Exception {
        declare("q", QueuePolicy.NONE, Map.of());
        set(false, "low", "q", 1, Map.of("max-length", 1L, "expires", 9L));
        set(false, "high", "q", 2, Map.of("max-length", 5L));
        assertThat(inForce("q")).isEqualTo(QueuePolicy.builder().maxLength(5).build());
        set(true, "cap", "q", 0, Map.of("max-length", 3L, "message-ttl", 4L));
        assertThat(inForce("q"))
                .isEqualTo(QueuePolicy.builder().maxLength(3).messageTtl(4).build());
        set(true, "cap", "q", 0, Map.of("max-length", 30L));
        assertThat(inForce("q").maxLength()).isEqualTo(5);
    }

    @Test
    void argumentsWinButOfLimitsTheLesserCounts() throws Exception {
        QueuePolicy declared = QueuePolicy.builder()
                .maxLength(10)
                .messageTtl(100)
                .deadLetterExchange("mine")
                .overflow(Overflow.REJECT_PUBLISH)
                .build();
        declare("q", declared, Map.of("x-overflow", "reject-publish"));
        declare("quorum", declared, Map.of("x-overflow", "reject-publish", "x-queue-type", "quorum"));
        set(
                false,
                "p",
                "q",
                0,
                Map.of("max-length", 20L, "message-ttl", 50L, "dead-letter-exchange", "its", "overflow", "drop-head"));
        assertThat(inForce("q").maxLength()).isEqualTo(10);
        assertThat(inForce("q").messageTtl()).isEqualTo(50);
        assertThat(inForce("q").deadLetterExchange()).isEqualTo("mine");
        assertThat(inForce("q").overflow()).isEqualTo(Overflow.REJECT_PUBLISH);
        assertThat(inForce("quorum").overflow()).isEqualTo(Overflow.DROP_HEAD);
    }

    @Test
    void aSettingThatATypeOfQueuesDoesNotHaveKeepsThePolicyFromThem() throws Exception {
        declare("classic", QueuePolicy.NONE, Map.of());
        declare("quorum", QueuePolicy.builder().deliveryLimit(20).build(), Map.of("x-queue-type", "quorum"));
        set(false, "p", ".*", 0, Map.of("delivery-limit", 3L, "max-length", 9L));
        assertThat(inForce("classic")).isEqualTo(QueuePolicy.NONE);
        assertThat(inForce("quorum").deliveryLimit()).isEqualTo(3);
    }

    @Test
    void theQueueOfASessionDoesNotGoForWantOfUse() throws Exception {
        get(host.sessions().open(CALLER, "c", 60));
        set(false, "p", ".*", 0, Map.of("expires", 5L, "max-length", 9L));
        assertThat(inForce(Sessions.QUEUE_PREFIX + "c"))
                .isEqualTo(QueuePolicy.builder().maxLength(9).build());
    }

    @Test
    void anExchangeHasItsAlternateByPolicy() throws Exception {
        declare("rest", QueuePolicy.NONE, Map.of());
        declare("own", QueuePolicy.NONE, Map.of());
        get(host.declareExchange(
                CALLER, new ExchangeInfo("x", ExchangeInfo.Type.DIRECT, true, false, false, Map.of())));
        get(host.declareExchange(
                CALLER,
                new ExchangeInfo(
                        "y", ExchangeInfo.Type.DIRECT, true, false, false, Map.of(ExchangeInfo.ALTERNATE, ""))));
        get(host.declareExchange(
                CALLER, new ExchangeInfo("ae", ExchangeInfo.Type.FANOUT, true, false, false, Map.of())));
        get(host.bind(
                CALLER,
                new io.sluice.routing.Binding(
                        new io.sluice.routing.Binding.End(io.sluice.routing.Binding.Kind.EXCHANGE, "ae"),
                        new io.sluice.routing.Binding.End(io.sluice.routing.Binding.Kind.QUEUE, "rest"),
                        "",
                        Map.of(),
                        io.sluice.routing.Binding.Origin.CLIENT)));
        assertThat(host.table().route("x", "k", 1, null).isEmpty()).isTrue();
        set(false, "p", "^[xy]$", 0, Map.of("alternate-exchange", "ae"));
        assertThat(host.table()
                        .route("x", "k", 1, null)
                        .stored()
                        .queue(0)
                        .spec()
                        .name())
                .isEqualTo("rest");
        assertThat(host.table().route("y", "k", 1, null).isEmpty()).isTrue();
        get(host.removePolicy(CALLER, false, "p"));
        assertThat(host.table().route("x", "k", 1, null).isEmpty()).isTrue();
    }

    @Test
    void aPatternThatTakesForEverMatchesNothing() throws Exception {
        declare("a".repeat(200) + "b", QueuePolicy.NONE, Map.of());
        set(false, "p", "^(a+)+$", 0, Map.of("max-length", 1L));
        assertThat(inForce("a".repeat(200) + "b")).isEqualTo(QueuePolicy.NONE);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "max-length  | -1    | -1 is not a valid maximum length",
                "overflow    | drop  | <<\"drop\">> is not a valid overflow value",
                "expires     | 0     | 0 is not a valid queue expiry",
                "ha-mode     | all   | [{<<\"ha-mode\">>,<<\"all\">>}] are not recognised policy settings",
                "max-age | 1h | max-age cannot be set by a policy yet; declare streams with the argument x-max-age",
                "delayed-retry-max | 5 | delayed-retry-max needs delayed-retry-min",
            })
    void whatIsNoPolicyIsRefusedInRabbitMqsWords(String key, String value, String refusal) {
        Object typed = value.matches("-?[0-9]+") ? (Object) Integer.valueOf(value) : value;
        assertThat(PolicyCheck.of(false, "p", "q", null, null, Map.of(key, typed)))
                .isEqualTo(new PolicyCheck(null, "Validation failed\n\n" + refusal + "\n"));
    }

    @Test
    void operatorsSetLimitsOnly() {
        assertThat(PolicyCheck.of(true, "p", "q", "queues", 1, Map.of("max-length", 1))
                        .refusal())
                .isNull();
        assertThat(PolicyCheck.of(true, "p", "q", "queues", 1, Map.of("overflow", "drop-head"))
                        .refusal())
                .contains("are not recognised policy settings");
        assertThat(PolicyCheck.of(false, "p", "(", "lists", "x", Map.of()).refusal())
                .contains("pattern should be regular expression but is invalid")
                .contains("apply-to 'lists' unrecognised")
                .contains("priority should be a number, actually was <<\"x\">>")
                .contains("no policy provided");
    }
}
