package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.consume;
import static io.sluice.amqp.AmqpPeers.factory;
import static io.sluice.amqp.AmqpPeers.next;
import static io.sluice.amqp.AmqpPeers.replyCode;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Header {@code x-delay} and exchanges of type {@code x-delayed-message}. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class DelayedMessagesTest {
    @TempDir
    private Path directory;

    private TestBroker broker;
    private Connection connection;
    private Channel channel;

    @BeforeEach
    void open() throws Exception {
        broker = new TestBroker(directory);
        connect();
    }

    @AfterEach
    void close() throws Exception {
        connection.abort();
        broker.close();
    }

    private void connect() throws Exception {
        connection = factory(broker.port()).newConnection();
        channel = connection.createChannel();
        channel.confirmSelect();
    }

    private void publish(String exchange, String key, @Nullable Object delay, @Nullable String expiration, String body)
            throws Exception {
        AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
                .deliveryMode(2)
                .priority(3)
                .headers(delay == null ? Map.of() : Map.of("x-delay", delay))
                .expiration(expiration)
                .build();
        channel.basicPublish(exchange, key, properties, body.getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
    }

    private static String body(Delivery delivery) {
        return new String(delivery.getBody(), UTF_8);
    }

    @Test
    void aDelayedExchangeDeliversWhenDueAndNotBefore() throws Exception {
        channel.exchangeDeclare("later", "x-delayed-message", true, false, Map.of("x-delayed-type", "topic"));
        // again, as every start of an application does
        channel.exchangeDeclare("later", "x-delayed-message", true, false, Map.of("x-delayed-type", "topic"));
        channel.queueDeclare("q", true, false, false, null);
        channel.queueBind("q", "later", "a.*");
        BlockingQueue<Delivery> got = consume(channel, "q", true);
        long start = System.currentTimeMillis();
        publish("later", "a.2", 900, null, "second");
        publish("later", "a.1", 300L, null, "first");
        publish("later", "b.1", 100, null, "elsewhere");
        publish("later", "a.0", null, null, "at once");
        publish("later", "a.0", -5, null, "at once too");
        assertThat(body(next(got))).isEqualTo("at once");
        assertThat(body(next(got))).isEqualTo("at once too");
        Delivery first = next(got);
        assertThat(System.currentTimeMillis() - start).isGreaterThanOrEqualTo(300);
        assertThat(body(first)).isEqualTo("first");
        assertThat(first.getEnvelope().getExchange()).isEqualTo("later");
        assertThat(first.getEnvelope().getRoutingKey()).isEqualTo("a.1");
        assertThat(first.getEnvelope().isRedeliver()).isFalse();
        assertThat(first.getProperties().getPriority()).isEqualTo(3);
        assertThat(first.getProperties().getDeliveryMode()).isEqualTo(2);
        assertThat(first.getProperties().getHeaders()).containsKey("x-delay").doesNotContainKey("x-death");
        assertThat(body(next(got))).isEqualTo("second");
        assertThat(System.currentTimeMillis() - start).isGreaterThanOrEqualTo(900);
        assertThat(got.poll(200, TimeUnit.MILLISECONDS)).isNull();
    }

    @Test
    void theDefaultExchangeDelaysToo() throws Exception {
        channel.queueDeclare("q", true, false, false, null);
        publish("", "q", 200, null, "m");
        assertThat(channel.basicGet("q", true)).isNull();
        assertThat(body(next(consume(channel, "q", true)))).isEqualTo("m");
    }

    @Test
    void theBindingsOfTheTimeWhenItIsDueCount() throws Exception {
        channel.exchangeDeclare("x", BuiltinExchangeType.FANOUT, true);
        publish("x", "", 500, null, "m");
        channel.queueDeclare("made.later", true, false, false, null);
        channel.queueBind("made.later", "x", "");
        assertThat(body(next(consume(channel, "made.later", true)))).isEqualTo("m");
    }

    @Test
    void delaysSurviveARestart() throws Exception {
        channel.queueDeclare("q", true, false, false, null);
        publish("", "q", 1_500, null, "third");
        publish("", "q", 1, null, "first");
        publish("", "q", 700, null, "second");
        connection.abort();
        broker.close();
        broker = new TestBroker(directory);
        connect();
        BlockingQueue<Delivery> got = consume(channel, "q", true);
        assertThat(body(next(got))).isEqualTo("first");
        assertThat(body(next(got))).isEqualTo("second");
        assertThat(body(next(got))).isEqualTo("third");
        assertThat(got.poll(200, TimeUnit.MILLISECONDS)).isNull();
    }

    @Test
    void whatExpiresBeforeItIsDueIsNotDelivered() throws Exception {
        channel.queueDeclare("q", true, false, false, null);
        publish("", "q", 300, "100", "expired");
        publish("", "q", 400, "60000", "alive");
        assertThat(body(next(consume(channel, "q", true)))).isEqualTo("alive");
    }

    @Test
    void aDelayedExchangeNeedsItsType() {
        assertThatThrownBy(() -> channel.exchangeDeclare("x", "x-delayed-message", true, false, Map.of()))
                .isInstanceOfSatisfying(
                        IOException.class, e -> assertThat(replyCode(e)).isEqualTo(406));
    }
}
