package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.DirectExchange;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageBuilder;
import org.springframework.amqp.core.MessageDeliveryMode;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.rabbit.config.RetryInterceptorBuilder;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.AbstractMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.DirectMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.retry.RejectAndDontRequeueRecoverer;
import org.springframework.amqp.rabbit.retry.RepublishMessageRecoverer;

/** Spring AMQP as applications set it up: admin, template with confirms and returns, listener containers with retry and recoverers. */
@Timeout(120)
class SpringAmqpIT {
    @TempDir
    private static Path directory;

    private static BrokerProcess broker;

    private CachingConnectionFactory connections;
    private RabbitTemplate template;
    private RabbitAdmin admin;
    private AbstractMessageListenerContainer container;

    @BeforeAll
    static void open() throws Exception {
        broker = new BrokerProcess(directory);
    }

    @AfterAll
    static void close() throws Exception {
        broker.close();
    }

    @BeforeEach
    void connect() {
        connections = new CachingConnectionFactory("127.0.0.1", broker.amqpPort());
        connections.setPublisherConfirmType(CachingConnectionFactory.ConfirmType.CORRELATED);
        connections.setPublisherReturns(true);
        template = new RabbitTemplate(connections);
        template.setMandatory(true);
        admin = new RabbitAdmin(connections);
    }

    @AfterEach
    void disconnect() {
        if (container != null) {
            container.stop();
        }
        connections.destroy();
    }

    private static Message message(String id, String body) {
        return MessageBuilder.withBody(body.getBytes(UTF_8))
                .setMessageId(id)
                .setDeliveryMode(MessageDeliveryMode.PERSISTENT)
                .build();
    }

    private Message receive(String queue) {
        Message received = template.receive(queue, 20_000);
        assertThat(received).as("message in %s", queue).isNotNull();
        return received;
    }

    private int count(String queue) {
        return Integer.parseInt(admin.getQueueProperties(queue)
                .get(RabbitAdmin.QUEUE_MESSAGE_COUNT)
                .toString());
    }

    @Test
    void statelessRetryThenTheRepublishRecoverer() {
        admin.declareExchange(new DirectExchange("errors"));
        admin.declareQueue(new Queue("failed"));
        admin.declareBinding(BindingBuilder.bind(new Queue("failed"))
                .to(new DirectExchange("errors"))
                .with("work-failed"));
        admin.declareQueue(new Queue("work"));
        AtomicInteger attempts = new AtomicInteger();
        List<String> done = new CopyOnWriteArrayList<>();
        SimpleMessageListenerContainer simple = new SimpleMessageListenerContainer(connections);
        simple.setQueueNames("work");
        simple.setConcurrentConsumers(2);
        simple.setPrefetchCount(5);
        simple.setAdviceChain(RetryInterceptorBuilder.stateless()
                .maxAttempts(3)
                .backOffOptions(10, 2.0, 100)
                .recoverer(new RepublishMessageRecoverer(template, "errors", "work-failed"))
                .build());
        simple.setMessageListener(message -> {
            String body = new String(message.getBody(), UTF_8);
            if (body.equals("poison")) {
                attempts.incrementAndGet();
                throw new IllegalStateException("cannot digest " + body);
            }
            done.add(body);
        });
        start(simple);
        template.send("work", message("1", "good"));
        template.send("work", message("2", "poison"));
        template.send("work", message("3", "better"));
        Message failed = receive("failed");
        assertThat(new String(failed.getBody(), UTF_8)).isEqualTo("poison");
        Map<String, Object> headers = failed.getMessageProperties().getHeaders();
        assertThat(headers.get(RepublishMessageRecoverer.X_EXCEPTION_MESSAGE).toString())
                .contains("cannot digest poison");
        assertThat(headers.get(RepublishMessageRecoverer.X_EXCEPTION_STACKTRACE).toString())
                .contains("IllegalStateException");
        assertThat(headers).containsEntry(RepublishMessageRecoverer.X_ORIGINAL_EXCHANGE, "");
        assertThat(headers).containsEntry(RepublishMessageRecoverer.X_ORIGINAL_ROUTING_KEY, "work");
        assertThat(attempts).hasValue(3);
        await().until(() -> done.size() == 2);
        assertThat(done).containsExactlyInAnyOrder("good", "better");
        container.stop();
        assertThat(count("work")).isZero();
    }

    @Test
    void statefulRetryComesBackFromTheQueueEachTime() {
        admin.declareQueue(new Queue("buried"));
        admin.declareQueue(QueueBuilder.durable("stateful")
                .quorum()
                .deadLetterExchange("")
                .deadLetterRoutingKey("buried")
                .build());
        Map<String, AtomicInteger> attempts = new ConcurrentHashMap<>();
        List<Boolean> redelivered = new CopyOnWriteArrayList<>();
        DirectMessageListenerContainer direct = new DirectMessageListenerContainer(connections);
        direct.setQueueNames("stateful");
        direct.setConsumersPerQueue(2);
        direct.setPrefetchCount(3);
        direct.setAdviceChain(RetryInterceptorBuilder.stateful()
                .maxAttempts(3)
                .recoverer(new RejectAndDontRequeueRecoverer())
                .build());
        direct.setMessageListener(message -> {
            String body = new String(message.getBody(), UTF_8);
            int attempt =
                    attempts.computeIfAbsent(body, name -> new AtomicInteger()).incrementAndGet();
            redelivered.add(message.getMessageProperties().isRedelivered());
            if (body.equals("always") || body.equals("once") && attempt == 1) {
                throw new IllegalStateException("attempt " + attempt);
            }
        });
        start(direct);
        template.send("stateful", message("a", "once"));
        template.send("stateful", message("b", "always"));
        template.send("stateful", message("c", "never"));
        Message buried = receive("buried");
        assertThat(new String(buried.getBody(), UTF_8)).isEqualTo("always");
        Map<String, ?> death = buried.getMessageProperties().getXDeathHeader().get(0);
        assertThat(death.get("reason")).isEqualTo("rejected");
        assertThat(death.get("queue")).isEqualTo("stateful");
        await().until(() ->
                attempts.containsKey("never") && attempts.get("once").get() == 2);
        assertThat(attempts.get("always")).hasValue(3);
        assertThat(redelivered).contains(true, false);
    }

    @Test
    void templateConfirmsReturnsAndAsks() throws Exception {
        admin.declareQueue(new Queue("asked"));
        CorrelationData stored = new CorrelationData("1");
        template.convertAndSend("", "asked", "text", stored);
        assertThat(stored.getFuture().get(20, TimeUnit.SECONDS).isAck()).isTrue();
        assertThat(receive("asked").getMessageProperties().getContentType()).isEqualTo("text/plain");
        CorrelationData lost = new CorrelationData("2");
        template.convertAndSend("", "nowhere", "text", lost);
        assertThat(lost.getFuture().get(20, TimeUnit.SECONDS).isAck()).isTrue();
        assertThat(lost.getReturned()).isNotNull();
        assertThat(lost.getReturned().getReplyCode()).isEqualTo(AMQP.NO_ROUTE);

        SimpleMessageListenerContainer answering = new SimpleMessageListenerContainer(connections);
        answering.setQueueNames("asked");
        answering.setMessageListener(question -> template.send(
                "",
                question.getMessageProperties().getReplyTo(),
                MessageBuilder.withBody("answer".getBytes(UTF_8))
                        .setCorrelationId(question.getMessageProperties().getCorrelationId())
                        .build()));
        start(answering);
        template.setReplyTimeout(20_000); // over direct reply-to
        Message answer = template.sendAndReceive("", "asked", message("q", "question"));
        assertThat(answer).isNotNull();
        assertThat(new String(answer.getBody(), UTF_8)).isEqualTo("answer");
    }

    @Test
    void transactedListenerTakesItsPublishesBackWhenItFails() {
        admin.declareQueue(new Queue("in"));
        admin.declareQueue(new Queue("out"));
        AtomicInteger attempts = new AtomicInteger();
        CachingConnectionFactory plain = new CachingConnectionFactory("127.0.0.1", broker.amqpPort());
        RabbitTemplate sending = new RabbitTemplate(plain);
        sending.setChannelTransacted(true);
        SimpleMessageListenerContainer listening = new SimpleMessageListenerContainer(plain);
        listening.setQueueNames("in");
        listening.setChannelTransacted(true);
        listening.setMessageListener(message -> {
            int attempt = attempts.incrementAndGet();
            sending.convertAndSend("", "out", "attempt " + attempt);
            if (attempt < 3) {
                throw new IllegalStateException("attempt " + attempt);
            }
        });
        try {
            start(listening);
            template.send("in", message("t", "work"));
            assertThat(new String(receive("out").getBody(), UTF_8)).isEqualTo("attempt 3");
            container.stop();
            assertThat(count("out")).isZero();
            assertThat(count("in")).isZero();
        } finally {
            plain.destroy();
        }
    }

    private void start(AbstractMessageListenerContainer starting) {
        starting.setShutdownTimeout(Duration.ofSeconds(20).toMillis());
        starting.afterPropertiesSet();
        starting.start();
        container = starting;
    }
}
