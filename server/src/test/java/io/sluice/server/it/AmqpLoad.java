package io.sluice.server.it;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * One publisher with confirms and one consumer on a durable queue, until the connection dies. Of 20 first deliveries the
 * consumer gives one back, acks one late and the others at once.
 */
final class AmqpLoad implements Load {
    /** Deliveries without ack that the consumer may hold. */
    static final int PREFETCH = 50;

    private static final String QUEUE = "crash-amqp";
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
        consuming.queueDeclare(QUEUE, true, false, false, Map.of());
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
                channel.basicPublish("", QUEUE, MessageProperties.PERSISTENT_BASIC, ledger.payload(id));
            }
            channel.waitForConfirms(30_000);
        } catch (IOException | ShutdownSignalException e) {
            // the broker was killed: what is unconfirmed may or may not arrive
        } catch (InterruptedException | java.util.concurrent.TimeoutException e) {
            ledger.mark("publisher ended: " + e);
        }
    }
}
