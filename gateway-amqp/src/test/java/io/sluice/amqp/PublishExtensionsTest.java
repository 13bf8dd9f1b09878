package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.consume;
import static io.sluice.amqp.AmqpPeers.factory;
import static io.sluice.amqp.AmqpPeers.next;
import static io.sluice.amqp.AmqpPeers.replyCode;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import com.rabbitmq.client.ShutdownSignalException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Protocol;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Sender-selected distribution, direct reply-to, and what else RabbitMQ adds to publishing. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class PublishExtensionsTest extends ClientTest {
    private static final String REPLIES = "amq.rabbitmq.reply-to";

    private static final AtomicInteger SERIAL = new AtomicInteger();

    private final String id = "p" + SERIAL.incrementAndGet();

    private static AMQP.BasicProperties headers(Map<String, Object> headers) {
        return new AMQP.BasicProperties.Builder()
                .contentType("text/plain")
                .headers(headers)
                .correlationId("c")
                .appId("app")
                .build();
    }

    private static AMQP.BasicProperties replyTo(String name) {
        return new AMQP.BasicProperties.Builder()
                .contentType("text/plain")
                .headers(Map.of("h", "v"))
                .correlationId("c7")
                .replyTo(name)
                .messageId("m7")
                .appId("app")
                .build();
    }

    private String queue(String name) throws IOException {
        return channel.queueDeclare(id + name, true, false, false, null).getQueue();
    }

    private void publish(String exchange, String key, AMQP.BasicProperties properties, String body) throws Exception {
        channel.confirmSelect();
        channel.basicPublish(exchange, key, properties, body.getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
    }

    private void assertChannelCloses(Channel closing, int code, String text) {
        await().until(() -> !closing.isOpen());
        ShutdownSignalException reason = closing.getCloseReason();
        assertThat(replyCode(reason)).isEqualTo(code);
        assertThat(reason.getMessage()).contains(text);
    }

    @Test
    void copiesGoToEveryKeyOnceAndBlindOnesAreNotSeen() throws Exception {
        String a = queue("a");
        String b = queue("b");
        String c = queue("c");
        AMQP.BasicProperties properties =
                headers(Map.of("CC", List.of(b, a, "nowhere"), "BCC", List.of(c), "own", 5L, "x-key", "k"));
        publish("", a, properties, "m");
        for (String queue : List.of(a, b, c)) {
            GetResponse got = channel.basicGet(queue, true);
            assertThat(got).as(queue).isNotNull();
            assertThat(got.getMessageCount()).as("rest of %s", queue).isZero();
            assertThat(got.getEnvelope().getRoutingKey()).isEqualTo(a);
            assertThat(got.getProps().getHeaders()).containsOnlyKeys("CC", "own", "x-key");
            assertThat(got.getProps().getHeaders().get("CC")).hasToString("[" + b + ", " + a + ", nowhere]");
            assertThat(got.getProps().getCorrelationId()).isEqualTo("c");
            assertThat(got.getProps().getAppId()).isEqualTo("app");
        }
    }

    @Test
    void copiesAreRoutedByDirectAndTopicExchangesAndCountForMandatory() throws Exception {
        String a = queue("a");
        channel.queueBind(a, "amq.topic", id + ".*");
        channel.queueBind(a, "amq.direct", id);
        AtomicInteger returns = new AtomicInteger();
        channel.addReturnListener(returned -> returns.incrementAndGet());
        channel.confirmSelect();
        AMQP.BasicProperties blind = headers(Map.of("BCC", List.of(id + ".x")));
        channel.basicPublish("amq.topic", "other", true, blind, new byte[0]);
        channel.basicPublish("amq.direct", "other", true, headers(Map.of("CC", List.of(id))), new byte[0]);
        channel.basicPublish("amq.direct", "other", true, headers(Map.of("CC", List.of("none"))), new byte[0]);
        channel.waitForConfirmsOrDie(10_000);
        assertThat(returns).hasValue(1);
        assertThat(channel.messageCount(a)).isEqualTo(2);
        assertThat(channel.basicGet(a, true).getProps().getHeaders()).isNullOrEmpty();
    }

    @Test
    void copiesMustBeLists() throws Exception {
        for (String name : List.of("CC", "BCC")) {
            Channel own = connection.createChannel();
            own.basicPublish("", id, headers(Map.of(name, "text")), new byte[0]);
            assertChannelCloses(own, 406, "invalid message: {unacceptable_type_in_header,\"" + name + "\",longstr}");
        }
    }

    @Test
    void delayedCopiesGoToAllWhenDue() throws Exception {
        String a = queue("a");
        String b = queue("b");
        String c = queue("c");
        publish("", a, headers(Map.of("x-delay", 100, "CC", List.of(b), "BCC", List.of(c))), "m");
        for (String queue : List.of(a, b, c)) {
            Delivery got = next(consume(channel, queue, true));
            assertThat(got.getProperties().getHeaders()).containsOnlyKeys("x-delay", "CC");
        }
    }

    @Test
    void deadLettersGoToTheCopiesButNotToTheBlindOnes() throws Exception {
        channel.exchangeDeclare(id + "x", "direct", true);
        String a = queue("a");
        String b = queue("b");
        String c = queue("c");
        for (String queue : List.of(a, b, c)) {
            channel.queueBind(queue, id + "x", queue);
        }
        channel.queueDeclare(id + "dying", true, false, false, Map.of("x-dead-letter-exchange", id + "x"));
        publish("", id + "dying", headers(Map.of("CC", List.of(b), "BCC", List.of(c))), "m");
        channel.queuePurge(b);
        channel.queuePurge(c);
        channel.basicReject(channel.basicGet(id + "dying", false).getEnvelope().getDeliveryTag(), false);
        Map<String, Object> headers =
                next(consume(channel, b, true)).getProperties().getHeaders();
        List<?> deaths = (List<?>) headers.get("x-death");
        assertThat(((Map<?, ?>) deaths.get(0)).get("routing-keys")).hasToString("[" + id + "dying, " + b + "]");
        assertThat(channel.messageCount(c)).isZero();
    }

    @Test
    void aReplyReachesTheAskerWithoutAQueue() throws Exception {
        String requests = queue("requests");
        BlockingQueue<Delivery> replies = consume(channel, REPLIES, true);
        channel.basicPublish("", requests, replyTo(REPLIES), "ping".getBytes(UTF_8));
        try (Connection worker = factory(broker.port()).newConnection()) {
            Channel own = worker.createChannel();
            Delivery request = next(consume(own, requests, true));
            String name = request.getProperties().getReplyTo();
            assertThat(name).startsWith(REPLIES + ".").hasSizeLessThan(256);
            assertThat(request.getProperties().getCorrelationId()).isEqualTo("c7");
            assertThat(request.getProperties().getMessageId()).isEqualTo("m7");
            assertThat(request.getProperties().getAppId()).isEqualTo("app");
            AMQP.Queue.DeclareOk there = own.queueDeclarePassive(name);
            assertThat(there.getConsumerCount()).isEqualTo(1);
            own.confirmSelect();
            own.basicPublish("", name, true, headers(Map.of("h", 1)), "pong".getBytes(UTF_8));
            own.waitForConfirmsOrDie(10_000);
            Delivery reply = next(replies);
            assertThat(reply.getBody()).isEqualTo("pong".getBytes(UTF_8));
            assertThat(reply.getEnvelope().getExchange()).isEmpty();
            assertThat(reply.getEnvelope().getRoutingKey()).isEqualTo(name);
            assertThat(reply.getProperties().getHeaders()).containsEntry("h", 1);
            // an asker that has gone is no route
            BlockingQueue<Integer> returns = new LinkedBlockingQueue<>();
            own.addReturnListener(returned -> returns.add(returned.getReplyCode()));
            channel.close();
            own.basicPublish("", name, true, null, "late".getBytes(UTF_8));
            assertThat(returns.poll(10, TimeUnit.SECONDS)).isEqualTo(312);
            assertThatThrownBy(() -> own.queueDeclarePassive(name))
                    .satisfies(e -> assertThat(replyCode(e)).isEqualTo(404));
        }
    }

    @Test
    void theRpcClientOfTheJavaClientGetsItsAnswers() throws Exception {
        String requests = queue("rpc");
        try (Connection worker = factory(broker.port()).newConnection()) {
            Channel own = worker.createChannel();
            own.basicConsume(
                    requests,
                    true,
                    (tag, request) -> own.basicPublish(
                            "",
                            request.getProperties().getReplyTo(),
                            new AMQP.BasicProperties.Builder()
                                    .correlationId(request.getProperties().getCorrelationId())
                                    .build(),
                            request.getBody()),
                    tag -> {});
            RpcClient client = new RpcClient(new RpcClientParams()
                    .channel(channel)
                    .exchange("")
                    .routingKey(requests)
                    .replyTo(REPLIES)
                    .timeout(10_000));
            for (int i = 0; i < 100; i++) {
                assertThat(client.primitiveCall(("call " + i).getBytes(UTF_8)))
                        .isEqualTo(("call " + i).getBytes(UTF_8));
            }
            client.close();
        }
    }

    @Test
    void repliesToAClientThatDoesNotReadAreBoundedAndDropped() throws Exception {
        try (RawPeer asker = new RawPeer(broker.port())) {
            asker.authenticate();
            asker.send(0, new ConnectionMethod.TuneOk(10, 131_072, 0), new ConnectionMethod.Open("/"));
            assertThat(asker.receive()).isInstanceOf(ConnectionMethod.OpenOk.class);
            asker.openChannel(1);
            String requests = queue("ask");
            asker.consume(1, REPLIES);
            ByteBuf out = Unpooled.buffer();
            FrameWriter.method(out, 1, new BasicMethod.Publish("", requests, false, false));
            int start = FrameWriter.begin(out, Protocol.FRAME_HEADER, 1);
            out.writeShort(60).writeShort(0).writeLong(0).writeShort(1 << 9);
            out.writeByte(REPLIES.length()).writeBytes(REPLIES.getBytes(UTF_8));
            FrameWriter.end(out, start);
            asker.send(out);
            String name = next(consume(channel, requests, true)).getProperties().getReplyTo();
            channel.confirmSelect();
            byte[] body = new byte[1 << 20];
            for (int i = 0; i < 60; i++) {
                channel.basicPublish("", name, null, body);
            }
            channel.waitForConfirmsOrDie(20_000);
            await().atMost(20, TimeUnit.SECONDS).until(() -> broker.gateway().sent() >= 10);
            long sent = broker.gateway().sent();
            int read = 0;
            asker.socket.setSoTimeout(1_500);
            try {
                while (read < 60) {
                    assertThat(asker.receiveContent()).hasSize(1 << 20);
                    read++;
                }
            } catch (java.net.SocketTimeoutException e) {
                assertThat(read).as("replies of %s sent", sent).isBetween(10, 40);
            }
            assertThat(read).isLessThan(60);
        }
    }

    @Test
    void theReplyConsumerIsCancelledAndMadeAnew() throws Exception {
        String first = channel.basicConsume(REPLIES, true, "mine", (tag, d) -> {}, tag -> {});
        channel.basicCancel(first);
        BlockingQueue<Delivery> replies = new LinkedBlockingQueue<>();
        channel.basicConsume(REPLIES, true, "mine", (tag, d) -> replies.add(d), tag -> {});
        channel.basicPublish("", queue("q"), replyTo(REPLIES), new byte[0]);
        String name = next(consume(channel, id + "q", true)).getProperties().getReplyTo();
        channel.basicPublish("", name, null, "self".getBytes(UTF_8));
        assertThat(next(replies).getBody()).isEqualTo("self".getBytes(UTF_8));
    }

    @Test
    void whatDirectReplyToDoesNotAllowIsRefused() throws Exception {
        Channel one = connection.createChannel();
        assertThatThrownBy(() -> one.basicConsume(REPLIES, false, (tag, d) -> {}, tag -> {}))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406))
                .hasRootCauseMessage(one.getCloseReason().getMessage());
        assertThat(one.getCloseReason().getMessage()).contains("reply consumer cannot acknowledge");
        Channel two = connection.createChannel();
        two.basicConsume(REPLIES, true, (tag, d) -> {}, tag -> {});
        assertThatThrownBy(() -> two.basicConsume(REPLIES, true, (tag, d) -> {}, tag -> {}))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
        assertThat(two.getCloseReason().getMessage()).contains("reply consumer already set");
        Channel three = connection.createChannel();
        three.basicPublish("", id, replyTo(REPLIES), new byte[0]);
        assertChannelCloses(three, 406, "fast reply consumer does not exist");
        Channel four = connection.createChannel();
        assertThatThrownBy(() -> four.queueBind(REPLIES + ".x", "amq.direct", "k"))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(403));
        Channel five = connection.createChannel();
        assertThat(five.queueDeclarePassive(REPLIES).getConsumerCount()).isEqualTo(1);
        assertThatThrownBy(() -> five.queueDeclare(REPLIES + ".x", false, false, false, null))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(404));
    }

    @Test
    void userIdMustBeTheUsersOwn() throws Exception {
        publish(
                "",
                queue("q"),
                new AMQP.BasicProperties.Builder().userId("guest").build(),
                "m");
        assertThat(channel.basicGet(id + "q", true).getProps().getUserId()).isEqualTo("guest");
        Channel own = connection.createChannel();
        own.basicPublish(
                "", id + "q", new AMQP.BasicProperties.Builder().userId("other").build(), new byte[0]);
        assertChannelCloses(own, 406, "user_id property set to 'other' but authenticated user was 'guest'");
    }

    @Test
    @SuppressWarnings("unchecked")
    void theServerSaysWhatItCan() throws Exception {
        Map<String, Object> properties = connection.getServerProperties();
        assertThat(properties)
                .containsKeys("product", "version", "platform", "cluster_name", "copyright", "information");
        assertThat((Map<String, Object>) properties.get("capabilities"))
                .containsOnlyKeys(
                        "publisher_confirms",
                        "exchange_exchange_bindings",
                        "basic.nack",
                        "consumer_cancel_notify",
                        "connection.blocked",
                        "consumer_priorities",
                        "authentication_failure_close",
                        "per_consumer_qos",
                        "direct_reply_to")
                .allSatisfy((name, value) -> assertThat(value).isEqualTo(true));
    }

    @Test
    void aSecretIsRenewedWithoutLeaving() throws Exception {
        try (RawPeer peer = new RawPeer(broker.port())) {
            peer.login(4096);
            peer.send(0, new ConnectionMethod.UpdateSecret("guest".getBytes(UTF_8), "it was time"));
            assertThat(peer.receive()).isInstanceOf(ConnectionMethod.UpdateSecretOk.class);
            peer.openChannel(1);
            peer.send(0, new ConnectionMethod.UpdateSecret("wrong".getBytes(UTF_8), "it was time"));
            assertThat(peer.closedWith()).isEqualTo(530);
        }
    }
}
