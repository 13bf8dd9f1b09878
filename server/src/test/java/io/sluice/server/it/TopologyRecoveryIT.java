package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.impl.recovery.AutorecoveringConnection;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** RabbitMQ's Java client recovers connection and topology by itself when the broker comes back on its port, stopped or killed. */
@Timeout(180)
class TopologyRecoveryIT {
    @TempDir
    private Path directory;

    private final AtomicInteger recoveries = new AtomicInteger();

    private Connection connect(BrokerProcess broker) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(broker.amqpPort());
        factory.setNetworkRecoveryInterval(200);
        factory.setAutomaticRecoveryEnabled(true);
        factory.setTopologyRecoveryEnabled(true);
        Connection connection = factory.newConnection();
        ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
            @Override
            public void handleRecovery(Recoverable recovered) {
                recoveries.incrementAndGet();
            }

            @Override
            public void handleRecoveryStarted(Recoverable recovered) {}
        });
        return connection;
    }

    private void restart(BrokerProcess broker, boolean kill) throws Exception {
        int before = recoveries.get();
        if (kill) {
            broker.kill();
        } else {
            broker.stop();
        }
        broker.start();
        await().atMost(Duration.ofSeconds(60)).until(() -> recoveries.get() > before);
    }

    private static List<String> consume(Channel channel, String queue) throws IOException {
        List<String> bodies = new CopyOnWriteArrayList<>();
        channel.basicConsume(
                queue, true, (tag, delivery) -> bodies.add(new String(delivery.getBody(), UTF_8)), tag -> {});
        return bodies;
    }

    private static void publish(Channel channel, String exchange, String key, String body) throws Exception {
        channel.basicPublish(exchange, key, MessageProperties.PERSISTENT_TEXT_PLAIN, body.getBytes(UTF_8));
        channel.waitForConfirmsOrDie(30_000);
    }

    @ParameterizedTest(name = "killed {0}")
    @ValueSource(booleans = {false, true})
    void queuesExchangesBindingsAndConsumersAreThereAgain(boolean kill) throws Exception {
        try (BrokerProcess broker = new BrokerProcess(directory);
                Connection connection = connect(broker)) {
            Channel channel = connection.createChannel();
            channel.confirmSelect();
            channel.exchangeDeclare("passing", BuiltinExchangeType.TOPIC, false, true, Map.of());
            channel.exchangeDeclare("behind", BuiltinExchangeType.FANOUT, false, false, false, Map.of());
            channel.exchangeBind("behind", "passing", "news.#");
            String generated = channel.queueDeclare().getQueue();
            channel.queueDeclare("mine", false, true, false, Map.of("x-max-length", 100));
            channel.queueDeclare("lasting", true, false, false, Map.of("x-queue-type", "quorum"));
            channel.queueBind(generated, "passing", "news.*");
            channel.queueBind("mine", "behind", "");
            channel.queueBind("lasting", "amq.topic", "last.#");
            List<String> names = new CopyOnWriteArrayList<>();
            ((AutorecoveringConnection) connection)
                    .addQueueRecoveryListener((before, after) -> names.add(before + " " + after));
            List<String> toGenerated = consume(channel, generated);
            List<String> toMine = consume(channel, "mine");
            List<String> toLasting = consume(channel, "lasting");
            publish(channel, "passing", "news.one", "before");
            await().until(() -> toGenerated.size() == 1 && toMine.size() == 1);

            restart(broker, kill);
            assertThat(names).anyMatch(name -> name.startsWith(generated + " amq.gen-") && !name.endsWith(generated));
            publish(channel, "passing", "news.two", "after");
            publish(channel, "amq.topic", "last.1", "kept");
            await().until(() -> toGenerated.size() == 2 && toMine.size() == 2 && toLasting.size() == 1);
            assertThat(toGenerated).containsExactly("before", "after");
            assertThat(toMine).containsExactly("before", "after");
            AMQP.Queue.DeclareOk mine = channel.queueDeclarePassive("mine");
            assertThat(mine.getConsumerCount()).isEqualTo(1);
            assertThat(channel.queueDeclarePassive("lasting").getConsumerCount())
                    .isEqualTo(1);
        }
    }

    @Test
    void confirmsAndAcknowledgementsGoOnOverAKill() throws Exception {
        int messages = 2_000;
        try (BrokerProcess broker = new BrokerProcess(directory);
                Connection publishing = connect(broker);
                Connection consuming = connect(broker)) {
            Channel out = publishing.createChannel();
            out.queueDeclare("confirmed", true, false, false, null);
            out.confirmSelect();
            ConcurrentNavigableMap<Long, Integer> open = new ConcurrentSkipListMap<>();
            Set<Integer> confirmed = ConcurrentHashMap.newKeySet();
            out.addConfirmListener(
                    (tag, multiple) -> {
                        Map<Long, Integer> done =
                                multiple ? open.headMap(tag, true) : open.subMap(tag, true, tag, true);
                        confirmed.addAll(done.values());
                        done.clear();
                    },
                    (tag, multiple) -> {});
            Set<Integer> received = ConcurrentHashMap.newKeySet();
            Channel in = consuming.createChannel();
            in.basicQos(20);
            in.basicConsume(
                    "confirmed",
                    false,
                    (tag, delivery) -> {
                        received.add(Integer.parseInt(new String(delivery.getBody(), UTF_8)));
                        try {
                            in.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
                        } catch (AlreadyClosedException lost) {
                            // comes again
                        }
                    },
                    tag -> {});
            int next = 0;
            for (int round = 0; round < 2; round++) {
                for (int end = next + messages / 2; next < end; next++) {
                    open.put(out.getNextPublishSeqNo(), next);
                    out.basicPublish(
                            "",
                            "confirmed",
                            MessageProperties.PERSISTENT_BASIC,
                            Integer.toString(next).getBytes(UTF_8));
                }
                if (round == 0) {
                    await().until(() -> confirmed.size() > 100);
                    int before = recoveries.get();
                    restart(broker, true);
                    await().atMost(Duration.ofSeconds(60)).until(() -> recoveries.get() == before + 2);
                    // what was not confirmed is published again, under new numbers
                    List<Integer> again = List.copyOf(open.values());
                    open.clear();
                    for (int message : again) {
                        open.put(out.getNextPublishSeqNo(), message);
                        out.basicPublish(
                                "",
                                "confirmed",
                                MessageProperties.PERSISTENT_BASIC,
                                Integer.toString(message).getBytes(UTF_8));
                    }
                }
            }
            await().atMost(Duration.ofSeconds(60)).until(() -> confirmed.size() == messages);
            await().atMost(Duration.ofSeconds(60)).until(() -> received.size() == messages);
            await().until(() -> in.messageCount("confirmed") == 0);
        }
    }
}
