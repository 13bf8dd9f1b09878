package io.sluice.server.it;

import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One publisher with confirms to two durable queues, and one consumer on the first, until the connection dies. Of 20 first
 * deliveries the consumer gives one back, acks one late and the others at once. The second queue has no consumer until the end,
 * so that what it holds can only come from the disk.
 */
final class AmqpLoad implements Load {
    /** Deliveries without ack that the consumer may hold. */
    static final int PREFETCH = 50;

    private static final String EXCHANGE = "crash";
    private static final String QUEUE = "crash-amqp";
    private static final String KEPT = "crash-amqp-kept";
    private static final int WINDOW = 64;

    private final Ledger ledger;
    private final Ledger.Reader reader;
    private final Connection connection;
    private final Thread publisher;
    private volatile boolean publishing;
    // consumer thread only
    private int firsts;
    private long late;

    AmqpLoad(BrokerProcess broker, Ledger ledger, Ledger.Reader reader, boolean publish) throws Exception {
        this.ledger = ledger;
        this.reader = reader;
        this.publishing = publish;
        connection = broker.connectAmqp();
        Channel consuming = connection.createChannel();
        consuming.exchangeDeclare(EXCHANGE, "fanout", true);
        for (String queue : List.of(QUEUE, KEPT)) {
            consuming.queueDeclare(queue, true, false, false, Map.of());
            consuming.queueBind(queue, EXCHANGE, "");
        }
        consuming.basicQos(PREFETCH);
        consuming.basicConsume(
                QUEUE,
                false,
                (tag, delivery) ->
                        took(consuming, delivery.getEnvelope().getDeliveryTag(), reader.deliver(delivery.getBody())),
                tag -> {});
        Channel channel = connection.createChannel();
        channel.confirmSelect();
        publisher = new Thread(() -> publish(channel), "amqp-publisher");
        publisher.setDaemon(true);
        publisher.start();
    }

    /** Reads the second queue into {@code reader} until all confirmed messages were there or nothing more comes. */
    static void readKept(BrokerProcess broker, Ledger.Reader reader) throws Exception {
        try (Connection connection = broker.connectAmqp()) {
            Channel channel = connection.createChannel();
            channel.basicQos(1_000);
            AtomicLong last = new AtomicLong(System.nanoTime());
            channel.basicConsume(
                    KEPT,
                    false,
                    (tag, delivery) -> {
                        reader.deliver(delivery.getBody());
                        last.set(System.nanoTime());
                        channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
                    },
                    tag -> {});
            await().atMost(10, TimeUnit.MINUTES)
                    .until(() -> reader.isComplete() || System.nanoTime() - last.get() > 30_000_000_000L);
        }
    }

    @Override
    public void stopPublishing() throws InterruptedException {
        publishing = false;
        publisher.join();
    }

    @Override
    public void close() throws Exception {
        stopPublishing();
        connection.abort(1_000);
    }

    private void took(Channel channel, long tag, boolean first) throws IOException {
        try {
            if (first && ++firsts % 20 == 5) {
                channel.basicNack(tag, false, true);
                return;
            }
            if (first && firsts % 20 == 10 && late == 0) {
                late = tag;
                return;
            }
            if (late != 0 && tag - late > PREFETCH / 2) {
                channel.basicAck(late, false);
                late = 0;
            }
            channel.basicAck(tag, false);
        } catch (ShutdownSignalException e) {
            // the broker was killed: the delivery comes again
        }
    }

    private void publish(Channel channel) {
        ConcurrentNavigableMap<Long, Integer> pending = new ConcurrentSkipListMap<>();
        Semaphore window = new Semaphore(WINDOW);
        channel.addConfirmListener(
                (tag, multiple) -> {
                    Map<Long, Integer> settled =
                            multiple ? pending.headMap(tag, true) : pending.subMap(tag, true, tag, true);
                    int count = settled.size();
                    settled.values().forEach(ledger::confirm);
                    settled.clear();
                    window.release(count);
                },
                (tag, multiple) -> ledger.mark("nack of " + tag));
        try {
            while (publishing) {
                if (!window.tryAcquire(100, TimeUnit.MILLISECONDS)) {
                    if (!channel.isOpen()) {
                        return;
                    }
                    continue;
                }
                int id = ledger.send();
                pending.put(channel.getNextPublishSeqNo(), id);
                channel.basicPublish(EXCHANGE, "", MessageProperties.PERSISTENT_BASIC, ledger.payload(id));
            }
            channel.waitForConfirms(30_000);
        } catch (IOException | ShutdownSignalException e) {
            // the broker was killed: what is unconfirmed may or may not arrive
        } catch (InterruptedException | java.util.concurrent.TimeoutException e) {
            ledger.mark("publisher ended: " + e);
        }
    }
}
