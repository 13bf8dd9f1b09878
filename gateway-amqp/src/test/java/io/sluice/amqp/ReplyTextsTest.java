package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.factory;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.AccessMethod;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.QueueMethod;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The words in which RabbitMQ refuses, on which applications and their tests rely, and what it does beside the specification. */
@Timeout(60)
class ReplyTextsTest extends ClientTest {
    private static final Map<String, Object> NONE = Map.of();

    private interface Step {
        void run(Channel channel) throws Exception;
    }

    private static void sync(Channel channel, Step step) throws Exception {
        step.run(channel);
        channel.exchangeDeclarePassive("amq.direct");
    }

    private static Arguments refusal(String text, Step step) {
        return arguments(text, step);
    }

    static Stream<Arguments> refusals() {
        return Stream.of(
                refusal("NOT_FOUND - no queue 'none' in vhost '/'", c -> c.queueDeclarePassive("none")),
                refusal("NOT_FOUND - no queue '' in vhost '/'", c -> c.queueDeclarePassive("")),
                refusal("NOT_FOUND - no exchange 'none' in vhost '/'", c -> c.exchangeDeclarePassive("none")),
                refusal(
                        "NOT_FOUND - no exchange 'none' in vhost '/'",
                        c -> sync(c, to -> to.basicPublish("none", "", null, new byte[0]))),
                refusal("NOT_FOUND - no previously declared queue", c -> c.queuePurge("")),
                refusal(
                        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'locked' in vhost '/'. It could be"
                                + " originally declared on another connection or the exclusive property value does not match"
                                + " that of the original declaration.",
                        c -> c.queueDeclarePassive("locked")),
                refusal(
                        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'shared' in vhost '/'. It could",
                        c -> c.queueDeclare("shared", true, true, false, NONE)),
                refusal(
                        "ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'",
                        c -> c.queueDeclare("amq.q", true, false, false, NONE)),
                refusal(
                        "ACCESS_REFUSED - exchange name 'amq.x' contains reserved prefix 'amq.*'",
                        c -> c.exchangeDeclare("amq.x", "topic")),
                refusal(
                        "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed",
                        c -> c.exchangeDelete("amq.topic")),
                refusal(
                        "ACCESS_REFUSED - operation not permitted on the default exchange",
                        c -> c.queueBind("shared", "", "k")),
                refusal(
                        "ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'",
                        c -> sync(c, to -> to.basicPublish("inner", "", null, new byte[0]))),
                refusal(
                        "ACCESS_REFUSED - queue 'used' in vhost '/' in exclusive use",
                        c -> c.basicConsume("used", true, "", false, true, NONE, (t, d) -> {}, t -> {})),
                refusal(
                        "PRECONDITION_FAILED - queue 'used' in vhost '/' in use",
                        c -> c.queueDelete("used", true, false)),
                refusal(
                        "PRECONDITION_FAILED - queue 'filled' in vhost '/' not empty",
                        c -> c.queueDelete("filled", false, true)),
                refusal(
                        "PRECONDITION_FAILED - exchange 'bound' in vhost '/' in use",
                        c -> c.exchangeDelete("bound", true)),
                refusal("PRECONDITION_FAILED - unknown delivery tag 7", c -> sync(c, to -> to.basicAck(7, false))),
                refusal("PRECONDITION_FAILED - unknown exchange type 'odd'", c -> c.exchangeDeclare("e", "odd")),
                refusal(
                        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in"
                                + " vhost '/'",
                        c -> c.queueDeclare("q", true, false, false, Map.of("x-dead-letter-exchange", 1))),
                refusal(
                        "PRECONDITION_FAILED - inequivalent arg 'x-single-active-consumer' for queue 'shared' in vhost '/':"
                                + " received the value 'true' of type 'bool' but current is none",
                        c -> c.queueDeclare("shared", true, false, false, Map.of("x-single-active-consumer", true))),
                refusal(
                        "PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue 'shared' in vhost '/':"
                                + " received the value 'dlx' of type 'longstr' but current is none",
                        c -> c.queueDeclare("shared", true, false, false, Map.of("x-dead-letter-exchange", "dlx"))),
                refusal(
                        "PRECONDITION_FAILED - inequivalent arg 'x-max-length-bytes' for queue 'limited' in vhost '/':"
                                + " received none but current is the value '8589934592' of type 'long'",
                        c -> c.queueDeclare("limited", true, false, false, NONE)),
                refusal(
                        "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'shared' in vhost '/': received"
                                + " 'true' but current is 'false'",
                        c -> c.queueDeclare("shared", true, false, true, NONE)),
                refusal(
                        "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue",
                        c -> c.queueDeclare("", true, false, false, Map.of("x-queue-type", "stream"))),
                refusal("PRECONDITION_FAILED - channel is not transactional", Channel::txCommit),
                refusal("PRECONDITION_FAILED - cannot switch from tx to confirm mode", c -> {
                    c.txSelect();
                    c.confirmSelect();
                }),
                refusal(
                        "PRECONDITION_FAILED - reply consumer cannot acknowledge",
                        c -> c.basicConsume("amq.rabbitmq.reply-to", false, (t, d) -> {}, t -> {})),
                refusal("NOT_ALLOWED - attempt to reuse consumer tag 'twice'", c -> {
                    c.basicConsume("shared", true, "twice", (t, d) -> {}, t -> {});
                    c.basicConsume("none", true, "twice", (t, d) -> {}, t -> {});
                }),
                refusal("NOT_IMPLEMENTED - requeue=false", c -> c.basicRecover(false)),
                refusal("NOT_IMPLEMENTED - prefetch_size!=0 (1000)", c -> c.basicQos(1000, 0, false)),
                refusal(
                        "NOT_IMPLEMENTED - immediate=true",
                        c -> sync(c, to -> to.basicPublish("", "shared", false, true, null, new byte[0]))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refusals")
    void refusalsAreInRabbitMqsWords(String text, Step step) throws Exception {
        channel.queueDeclare("shared", true, false, false, NONE);
        channel.queueDeclare("limited", true, false, false, Map.of("x-max-length-bytes", 8L << 30));
        channel.queueDeclare("filled", true, false, false, NONE);
        channel.basicPublish("", "filled", null, new byte[0]);
        channel.queueDeclare("used", true, false, false, NONE);
        channel.basicConsume("used", true, (t, d) -> {}, t -> {});
        channel.queueDeclare("locked", false, true, false, NONE);
        channel.exchangeDeclare("bound", "fanout", true);
        channel.queueBind("shared", "bound", "");
        channel.exchangeDeclare("inner", "fanout", true, false, true, NONE);
        try (Connection other = factory(broker.port()).newConnection()) {
            Channel own = other.createChannel();
            assertThatThrownBy(() -> step.run(own)).hasStackTraceContaining(text);
        } catch (AlreadyClosedException closed) {
            assertThat(closed).as("a hard error has closed it").hasMessageContaining("connection");
        }
    }

    @Test
    void aBindingWithoutQueueAndKeyHasTheNameOfTheQueueDeclaredLastAsBoth() throws Exception {
        String name = channel.queueDeclare().getQueue();
        channel.queueBind("", "amq.direct", "");
        channel.basicPublish("amq.direct", name, null, "m".getBytes(UTF_8));
        BlockingQueue<Delivery> deliveries = AmqpPeers.consume(channel, name, true);
        assertThat(AmqpPeers.next(deliveries).getBody()).isEqualTo("m".getBytes(UTF_8));
        channel.queueUnbind("", "amq.direct", "");
        channel.confirmSelect();
        channel.basicPublish("amq.direct", name, null, "lost".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
        assertThat(deliveries).isEmpty();
    }

    @Test
    void lineBreaksInNamesAreLeftOutWhereTheyAreDeclaredAndBound() throws Exception {
        assertThat(channel.queueDeclare("bro\r\nken", false, true, false, NONE).getQueue())
                .isEqualTo("broken");
        channel.exchangeDeclare("ex\nchange", "fanout", false, true, NONE);
        channel.queueBind("bro\nken", "exch\range", "");
        channel.exchangeDeclarePassive("exchange");
        assertThat(channel.queueDeclarePassive("broken\n").getQueue()).isEqualTo("broken");
        channel.queueDelete("b\nroken");
    }

    @Test
    void noLocalIsTakenAndMeansNothing() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        channel.basicConsume(queue, true, "", true, false, NONE, (tag, delivery) -> {}, tag -> {});
        channel.basicPublish("", queue, null, "own".getBytes(UTF_8));
        channel.basicConsume(queue, true, (tag, delivery) -> {}, tag -> {});
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void oldClientsGetTheirTicket() throws Exception {
        try (RawPeer peer = new RawPeer(broker.port())) {
            peer.login(4096, 0);
            peer.openChannel(1);
            peer.send(1, new AccessMethod.Request("/data"));
            assertThat(peer.receive()).isEqualTo(new AccessMethod.RequestOk(1));
        }
    }

    @Test
    void aFrameMayBeLongerThanAgreedByItsOverhead() throws Exception {
        try (RawPeer peer = new RawPeer(broker.port())) {
            peer.login(4096, 0);
            peer.openChannel(1);
            peer.send(1, new QueueMethod.Declare("full", false, false, true, false, false, Map.of()));
            peer.receive();
            ByteBuf out = Unpooled.buffer();
            RawPeer.publish(out, 1, "full", new byte[4096]);
            peer.send(out);
            peer.send(1, new BasicMethod.Get("full", true));
            assertThat(peer.receive()).isInstanceOf(BasicMethod.GetOk.class);
        }
    }

    @Test
    void exclusiveQueuesAreGoneWhenTheCloseIsAnswered() throws Exception {
        for (int i = 0; i < 50; i++) {
            try (Connection other = factory(broker.port()).newConnection()) {
                Channel own = other.createChannel();
                for (int j = 0; j < 10; j++) {
                    AMQP.Queue.DeclareOk declared = own.queueDeclare("again" + j, false, true, false, NONE);
                    assertThat(declared.getMessageCount()).isZero();
                    own.basicPublish("", "again" + j, null, new byte[1]);
                }
            }
        }
    }
}
