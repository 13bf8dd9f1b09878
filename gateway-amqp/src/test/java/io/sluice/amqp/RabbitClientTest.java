package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.factory;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** RabbitMQ's Java client against the door on the real core. */
@Timeout(60)
class RabbitClientTest extends ClientTest {
    private static BlockingQueue<Delivery> consume(Channel channel, String queue, boolean autoAck) throws IOException {
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        channel.basicConsume(queue, autoAck, (tag, delivery) -> deliveries.add(delivery), tag -> {});
        return deliveries;
    }

    private static Delivery next(BlockingQueue<Delivery> deliveries) throws InterruptedException {
        Delivery delivery = deliveries.poll(10, TimeUnit.SECONDS);
        assertThat(delivery).as("delivery within 10 s").isNotNull();
        return delivery;
    }

    private static int replyCode(Throwable failure) {
        Throwable cause = failure;
        while (cause != null && !(cause instanceof ShutdownSignalException)) {
            cause = cause.getCause();
        }
        assertThat(cause).isNotNull();
        Object reason = ((ShutdownSignalException) cause).getReason();
        return reason instanceof AMQP.Channel.Close close
                ? close.getReplyCode()
                : ((AMQP.Connection.Close) reason).getReplyCode();
    }

    @Test
    void confirmedMessageArrivesWithItsProperties() throws Exception {
        channel.queueDeclare("props", true, false, false, null);
        channel.confirmSelect();
        AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
                .contentType("text/plain")
                .deliveryMode(2)
                .priority(3)
                .correlationId("c")
                .messageId("m")
                .headers(Map.of("n", 7, "list", List.of("a", 1)))
                .build();
        channel.basicPublish("", "props", properties, "hello".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
        GetResponse got = channel.basicGet("props", true);
        assertThat(got.getBody()).isEqualTo("hello".getBytes(UTF_8));
        assertThat(got.getEnvelope().getRoutingKey()).isEqualTo("props");
        assertThat(got.getEnvelope().isRedeliver()).isFalse();
        assertThat(got.getProps().getContentType()).isEqualTo("text/plain");
        assertThat(got.getProps().getDeliveryMode()).isEqualTo(2);
        assertThat(got.getProps().getPriority()).isEqualTo(3);
        assertThat(got.getProps().getHeaders()).containsEntry("n", 7);
        assertThat(channel.basicGet("props", true)).isNull();
    }

    @Test
    void largeBodiesSpanFramesBothWays() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        assertThat(queue).startsWith("amq.gen-");
        byte[] body = new byte[3_000_000];
        new java.util.Random(1).nextBytes(body);
        channel.confirmSelect();
        channel.basicPublish("", queue, null, body);
        channel.waitForConfirmsOrDie(10_000);
        assertThat(channel.basicGet(queue, true).getBody()).isEqualTo(body);
    }

    @Test
    void manyMessagesKeepTheirOrderAndAreAllConfirmed() throws Exception {
        channel.queueDeclare("order", true, false, false, null);
        channel.confirmSelect();
        BlockingQueue<Delivery> deliveries = consume(channel, "order", true);
        for (int i = 0; i < 2000; i++) {
            AMQP.BasicProperties properties =
                    i % 2 == 0 ? MessageProperties.PERSISTENT_BASIC : MessageProperties.PERSISTENT_TEXT_PLAIN;
            channel.basicPublish("", "order", properties, Integer.toString(i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(30_000);
        for (int i = 0; i < 2000; i++) {
            assertThat(new String(next(deliveries).getBody(), UTF_8)).isEqualTo(Integer.toString(i));
        }
    }

    @Test
    void prefetchBoundsWhatIsUnacknowledged() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        for (int i = 0; i < 10; i++) {
            channel.basicPublish("", queue, null, new byte[] {(byte) i});
        }
        channel.basicQos(3);
        BlockingQueue<Delivery> deliveries = consume(channel, queue, false);
        Delivery third = null;
        for (int i = 0; i < 3; i++) {
            third = next(deliveries);
        }
        assertThat(deliveries.poll(200, TimeUnit.MILLISECONDS)).isNull();
        channel.basicAck(third.getEnvelope().getDeliveryTag(), true);
        assertThat(next(deliveries).getBody()).containsExactly(3);
    }

    @Test
    void nackedMessageComesBackRedeliveredAndCounted() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        channel.basicPublish("", queue, null, "x".getBytes(UTF_8));
        BlockingQueue<Delivery> deliveries = consume(channel, queue, false);
        channel.basicNack(next(deliveries).getEnvelope().getDeliveryTag(), false, true);
        Delivery again = next(deliveries);
        assertThat(again.getEnvelope().isRedeliver()).isTrue();
        assertThat(again.getProperties().getHeaders()).containsEntry("x-delivery-count", 1L);
        channel.basicAck(again.getEnvelope().getDeliveryTag(), false);
    }

    @Test
    void rejectedMessageGoesToTheDeadLetterExchange() throws Exception {
        channel.exchangeDeclare("dlx", BuiltinExchangeType.FANOUT);
        String graveyard = channel.queueDeclare().getQueue();
        channel.queueBind(graveyard, "dlx", "");
        channel.queueDeclare("mortal", false, true, false, Map.of("x-dead-letter-exchange", "dlx"));
        BlockingQueue<Delivery> dead = consume(channel, graveyard, true);
        BlockingQueue<Delivery> deliveries = consume(channel, "mortal", false);
        channel.basicPublish("", "mortal", null, "x".getBytes(UTF_8));
        channel.basicReject(next(deliveries).getEnvelope().getDeliveryTag(), false);
        Delivery letter = next(dead);
        assertThat(letter.getBody()).isEqualTo("x".getBytes(UTF_8));
        assertThat(letter.getEnvelope().getExchange()).isEqualTo("dlx");
        Map<?, ?> death =
                (Map<?, ?>) ((List<?>) letter.getProperties().getHeaders().get("x-death")).get(0);
        assertThat(String.valueOf(death.get("reason"))).isEqualTo("rejected");
        assertThat(String.valueOf(death.get("queue"))).isEqualTo("mortal");
        assertThat(death.get("count")).isEqualTo(1L);
    }

    @Test
    void topicExchangeRoutesThroughExchangeBindings() throws Exception {
        channel.exchangeDeclare("in", BuiltinExchangeType.TOPIC);
        channel.exchangeDeclare("out", BuiltinExchangeType.FANOUT);
        channel.exchangeBind("out", "in", "sensors.*.temp");
        String queue = channel.queueDeclare().getQueue();
        channel.queueBind(queue, "out", "");
        BlockingQueue<Delivery> deliveries = consume(channel, queue, true);
        channel.basicPublish("in", "sensors.7.hum", null, "no".getBytes(UTF_8));
        channel.basicPublish("in", "sensors.7.temp", null, "yes".getBytes(UTF_8));
        Delivery delivery = next(deliveries);
        assertThat(delivery.getBody()).isEqualTo("yes".getBytes(UTF_8));
        assertThat(delivery.getEnvelope().getExchange()).isEqualTo("in");
        assertThat(delivery.getEnvelope().getRoutingKey()).isEqualTo("sensors.7.temp");
    }

    @Test
    void unroutableMandatoryMessageIsReturnedBeforeItsConfirm() throws Exception {
        List<String> events = new CopyOnWriteArrayList<>();
        channel.addReturnListener(message -> events.add("return " + message.getReplyCode()));
        channel.addConfirmListener((tag, multiple) -> events.add("ack " + tag), (tag, multiple) -> events.add("nack"));
        channel.confirmSelect();
        channel.basicPublish("amq.direct", "nowhere", true, null, "x".getBytes(UTF_8));
        await().untilAsserted(() -> assertThat(events).containsExactly("return 312", "ack 1"));
    }

    @Test
    void errorsHaveTheRightReplyCodes() throws Exception {
        assertThatThrownBy(() -> channel.queueDeclarePassive("missing"))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(404));
        Channel second = connection.createChannel();
        assertThatThrownBy(() -> second.exchangeDeclare("amq.mine", "direct"))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(403));
        Channel third = connection.createChannel();
        third.queueDeclare("once", false, false, false, null);
        assertThatThrownBy(() -> third.queueDeclare("once", true, false, false, null))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
        Channel fourth = connection.createChannel();
        fourth.basicAck(99, false);
        await().until(() -> !fourth.isOpen());
        assertThat(replyCode(fourth.getCloseReason())).isEqualTo(406);
        assertThat(connection.isOpen()).isTrue();
        Channel fifth = connection.createChannel();
        assertThatThrownBy(() -> fifth.queueDeclare("u", false, false, false, Map.of("x-log", true)))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(540));
        await().until(() -> !connection.isOpen());
    }

    @Test
    void wrongLoginAndUnknownVhostAreRefused() {
        ConnectionFactory wrong = factory(broker.port());
        wrong.setPassword("wrong");
        assertThatThrownBy(wrong::newConnection).isInstanceOf(AuthenticationFailureException.class);
        ConnectionFactory unknown = factory(broker.port());
        unknown.setVirtualHost("nowhere");
        assertThatThrownBy(unknown::newConnection)
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(530));
    }

    @Test
    void exclusiveQueueIsLockedAndGoesWithItsConnection() throws Exception {
        Connection other = factory(broker.port()).newConnection();
        other.createChannel().queueDeclare("mine", false, true, false, null);
        assertThatThrownBy(() -> channel.queueDeclarePassive("mine"))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(405));
        other.close();
        await().until(() -> broker.broker().virtualHost("/").table().queue("mine") == null);
    }

    @Test
    void consumerIsToldWhenItsQueueIsDeleted() throws Exception {
        channel.queueDeclare("doomed", false, false, false, null);
        BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();
        channel.basicConsume("doomed", true, "tag", (tag, delivery) -> {}, cancelled::add);
        connection.createChannel().queueDelete("doomed");
        assertThat(cancelled.poll(10, TimeUnit.SECONDS)).isEqualTo("tag");
    }

    @Test
    void autoDeleteQueueGoesWithItsLastConsumer() throws Exception {
        channel.queueDeclare("brief", false, false, true, null);
        channel.basicConsume("brief", true, "tag", (tag, delivery) -> {}, tag -> {});
        channel.basicCancel("tag");
        await().until(() -> broker.broker().virtualHost("/").table().queue("brief") == null);
    }

    @Test
    void purgeAndDeleteAnswerTheirCounts() throws Exception {
        channel.queueDeclare("full", true, false, false, null);
        channel.confirmSelect();
        for (int i = 0; i < 5; i++) {
            channel.basicPublish("", "full", MessageProperties.PERSISTENT_BASIC, new byte[10]);
        }
        channel.waitForConfirmsOrDie(10_000);
        assertThat(channel.queuePurge("full").getMessageCount()).isEqualTo(5);
        channel.basicPublish("", "full", MessageProperties.PERSISTENT_BASIC, new byte[10]);
        channel.waitForConfirmsOrDie(10_000);
        assertThat(channel.queueDelete("full").getMessageCount()).isEqualTo(1);
    }

    @Test
    void persistentMessagesSurviveARestart(@TempDir Path own) throws Exception {
        try (TestBroker first = new TestBroker(own)) {
            try (Connection client = factory(first.port()).newConnection()) {
                Channel publisher = client.createChannel();
                publisher.confirmSelect();
                publisher.queueDeclare("kept", true, false, false, Map.of("x-queue-type", "quorum"));
                publisher.basicPublish(
                        "", "kept", MessageProperties.PERSISTENT_TEXT_PLAIN, "still here".getBytes(UTF_8));
                publisher.waitForConfirmsOrDie(10_000);
            }
        }
        try (TestBroker second = new TestBroker(own);
                Connection client = factory(second.port()).newConnection()) {
            GetResponse got = client.createChannel().basicGet("kept", true);
            assertThat(got).isNotNull();
            assertThat(got.getBody()).isEqualTo("still here".getBytes(UTF_8));
        }
    }
}
