package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** One publisher with confirms and one acknowledging consumer on a durable queue, until the connection dies. */
final class AmqpLoad implements Load {
    private static final String QUEUE = "crash-amqp";
    private static final int WINDOW = 64;

    private final Ledger ledger;
    private final Connection connection;
    private final Thread publisher;
    private volatile boolean publishing;

    AmqpLoad(BrokerProcess broker, Ledger ledger, boolean publish) throws Exception {
        this.ledger = ledger;
        this.publishing = publish;
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(broker.amqpPort());
        factory.setAutomaticRecoveryEnabled(false);
        connection = factory.newConnection();
        Channel consuming = connection.createChannel();
        consuming.queueDeclare(QUEUE, true, false, false, Map.of());
        consuming.basicQos(50);
        consuming.basicConsume(
                QUEUE,
                false,
                (tag, delivery) -> {
                    ledger.deliver(Integer.parseInt(new String(delivery.getBody(), UTF_8)));
                    consuming.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
                },
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
        connection.abort();
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
                (tag, multiple) -> {
                    throw new AssertionError("nack of " + tag);
                });
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
                channel.basicPublish(
                        "",
                        QUEUE,
                        MessageProperties.PERSISTENT_BASIC,
                        Integer.toString(id).getBytes(UTF_8));
            }
            channel.waitForConfirms(10_000);
        } catch (IOException | ShutdownSignalException e) {
            // the broker was killed: what is unconfirmed may or may not arrive
        } catch (InterruptedException | java.util.concurrent.TimeoutException e) {
            throw new AssertionError(e);
        }
    }
}
