package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.consume;
import static io.sluice.amqp.AmqpPeers.factory;
import static io.sluice.amqp.AmqpPeers.next;
import static io.sluice.amqp.AmqpPeers.replyCode;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Class tx with RabbitMQ's Java client, and what of it is there after a crash. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class TransactionsTest {
    @TempDir
    private Path directory;

    private final List<TestBroker> brokers = new ArrayList<>();
    private Connection connection;
    private Channel channel;
    /** Not transactional: sees what is in force. */
    private Channel other;

    @BeforeEach
    void open() throws Exception {
        TestBroker broker = broker(directory.resolve("live"));
        connection = factory(broker.port()).newConnection();
        channel = connection.createChannel();
        other = connection.createChannel();
        channel.queueDeclare("in", true, false, false, null);
        channel.queueDeclare("out", true, false, false, null);
        channel.queueDeclare("log", true, false, false, null);
    }

    @AfterEach
    void close() {
        connection.abort();
        brokers.forEach(TestBroker::close);
    }

    private TestBroker broker(Path data) throws Exception {
        TestBroker broker = new TestBroker(data);
        brokers.add(broker);
        return broker;
    }

    private void publish(Channel to, String queue, String... bodies) throws IOException {
        for (String body : bodies) {
            to.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, body.getBytes(UTF_8));
        }
    }

    private static List<String> drain(Channel from, String queue) throws IOException {
        List<String> bodies = new ArrayList<>();
        GetResponse got = from.basicGet(queue, true);
        while (got != null) {
            bodies.add(new String(got.getBody(), UTF_8) + (got.getEnvelope().isRedeliver() ? " again" : ""));
            got = from.basicGet(queue, true);
        }
        return bodies;
    }

    /** What a broker that died this instant leaves on disk, opened. */
    private Channel afterCrash(String name) throws Exception {
        Path copy = directory.resolve(name);
        Path live = directory.resolve("live");
        try (Stream<Path> files = Files.walk(live)) {
            for (Path file : files.toList()) {
                Path to = copy.resolve(live.relativize(file));
                if (Files.isDirectory(file)) {
                    Files.createDirectories(to);
                } else if (!file.endsWith("lock")) {
                    Files.copy(file, to);
                }
            }
        }
        return factory(broker(copy).port()).newConnection().createChannel();
    }

    @Test
    void nothingOfAnUncommittedTransactionIsThereAfterACrashAndAllOfACommittedOne() throws Exception {
        publish(other, "in", "a", "b", "c");
        channel.txSelect();
        BlockingQueue<Delivery> deliveries = consume(channel, "in", false);
        for (int i = 0; i < 2; i++) {
            Delivery delivery = next(deliveries);
            publish(channel, "out", "from " + new String(delivery.getBody(), UTF_8));
            publish(channel, "log", "seen");
            channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
        }
        next(deliveries);
        assertThat(drain(other, "out")).isEmpty();
        Channel before = afterCrash("before");
        assertThat(drain(before, "in")).containsExactly("a again", "b again", "c again");
        assertThat(drain(before, "out")).isEmpty();
        assertThat(drain(before, "log")).isEmpty();

        channel.txCommit();
        Channel after = afterCrash("after");
        assertThat(drain(after, "in")).containsExactly("c again");
        assertThat(drain(after, "out")).containsExactly("from a", "from b");
        assertThat(drain(after, "log")).containsExactly("seen", "seen");
        assertThat(drain(other, "out")).containsExactly("from a", "from b");
        before.getConnection().abort();
        after.getConnection().abort();
    }

    @Test
    void aRollbackDropsPublishesAndLeavesDeliveriesWithTheClient() throws Exception {
        publish(other, "in", "a", "b");
        channel.txSelect();
        BlockingQueue<Delivery> deliveries = consume(channel, "in", false);
        long first = next(deliveries).getEnvelope().getDeliveryTag();
        long second = next(deliveries).getEnvelope().getDeliveryTag();
        publish(channel, "out", "never");
        channel.basicAck(second, false);
        channel.basicReject(first, true);
        channel.txRollback();
        channel.txCommit();
        assertThat(drain(other, "out")).isEmpty();
        assertThat(drain(other, "in")).isEmpty();
        assertThat(deliveries).isEmpty();

        // they can be settled still, each on its own
        channel.basicAck(first, false);
        channel.basicNack(second, false, true);
        channel.txCommit();
        assertThat(new String(next(deliveries).getBody(), UTF_8)).isEqualTo("b");
        connection.createChannel();
        channel.close();
        await().until(() -> drain(other, "in"), List.of("b again")::equals);
    }

    @Test
    void rejectionsOfATransactionDieAfterItsCommit() throws Exception {
        channel.queueDeclare("dead", true, false, false, null);
        channel.queueDeclare(
                "mortal",
                true,
                false,
                false,
                Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead"));
        publish(other, "mortal", "a", "b");
        channel.txSelect();
        BlockingQueue<Delivery> deliveries = consume(channel, "mortal", false);
        next(deliveries);
        channel.basicNack(next(deliveries).getEnvelope().getDeliveryTag(), true, false);
        assertThat(drain(other, "dead")).isEmpty();
        channel.txCommit();
        List<String> dead = new ArrayList<>();
        await().until(() -> dead.addAll(drain(other, "dead")) && dead.size() == 2);
        assertThat(dead).containsExactly("a", "b");
    }

    @Test
    void unroutableMandatoryMessagesComeBackAtTheCommit() throws Exception {
        List<String> returned = new ArrayList<>();
        channel.addReturnListener(back -> returned.add(back.getReplyCode() + " " + back.getRoutingKey()));
        channel.txSelect();
        channel.basicPublish("", "nowhere", true, null, "x".getBytes(UTF_8));
        channel.basicPublish("", "out", true, null, "x".getBytes(UTF_8));
        channel.queueDeclarePassive("out");
        assertThat(returned).isEmpty();
        channel.txCommit();
        assertThat(returned).containsExactly("312 nowhere");
        channel.basicPublish("", "nowhere", true, null, "x".getBytes(UTF_8));
        channel.txRollback();
        channel.txCommit();
        assertThat(returned).hasSize(1);
    }

    @Test
    void settlementsMakeRoomInThePrefetchWindowOnlyWhenTheyAreCommitted() throws Exception {
        publish(other, "in", "a", "b", "c");
        channel.basicQos(2, true);
        channel.txSelect();
        BlockingQueue<Delivery> deliveries = consume(channel, "in", false);
        channel.basicAck(next(deliveries).getEnvelope().getDeliveryTag(), false);
        next(deliveries);
        channel.queueDeclarePassive("in");
        assertThat(deliveries).isEmpty();
        channel.txCommit();
        assertThat(new String(next(deliveries).getBody(), UTF_8)).isEqualTo("c");
    }

    @Test
    void aFullQueueRefusesTheWholeTransaction() throws Exception {
        channel.queueDeclare("full", true, false, false, Map.of("x-max-length", 1, "x-overflow", "reject-publish"));
        publish(other, "full", "there");
        publish(other, "in", "a");
        await().until(() -> other.messageCount("full") == 1);
        channel.txSelect();
        BlockingQueue<Delivery> deliveries = consume(channel, "in", false);
        channel.basicAck(next(deliveries).getEnvelope().getDeliveryTag(), false);
        publish(channel, "out", "never");
        publish(channel, "full", "never");
        assertThatThrownBy(() -> channel.txCommit())
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
        assertThat(drain(other, "out")).isEmpty();
        assertThat(drain(other, "full")).containsExactly("there");
        await().until(() -> drain(other, "in"), List.of("a again")::equals);
    }

    @Test
    void aTransactionThatIsTooLargeEndsItsChannel() throws Exception {
        channel.txSelect();
        byte[] large = new byte[12 << 20];
        channel.basicPublish("", "out", MessageProperties.PERSISTENT_BASIC, large);
        channel.basicPublish("", "out", MessageProperties.PERSISTENT_BASIC, large);
        channel.queueDeclarePassive("out");
        channel.basicPublish("", "out", MessageProperties.PERSISTENT_BASIC, large);
        await().until(() -> !channel.isOpen());
        assertThat(replyCode(channel.getCloseReason())).isEqualTo(406);
        assertThat(drain(other, "out")).isEmpty();
    }

    @Test
    void aTransactionOfTooManyPartsEndsItsChannel() throws Exception {
        channel.txSelect();
        for (int i = 0; i < 65_536; i++) {
            channel.basicPublish("", "out", MessageProperties.PERSISTENT_BASIC, new byte[0]);
        }
        channel.queueDeclarePassive("out");
        channel.basicPublish("", "out", MessageProperties.PERSISTENT_BASIC, new byte[0]);
        await().until(() -> !channel.isOpen());
        assertThat(replyCode(channel.getCloseReason())).isEqualTo(406);
    }
}
