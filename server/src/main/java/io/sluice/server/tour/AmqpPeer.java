package io.sluice.server.tour;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** An AMQP 0-9-1 client with confirms. */
final class AmqpPeer implements AutoCloseable {
    private static final long TIMEOUT_MILLIS = 10_000;

    final Mailbox mailbox = new Mailbox("AMQP");
    private final Connection connection;
    private final Channel channel;
    /** Settlements come from another thread than publishes, so they have a channel of their own. */
    private final Channel consuming;

    /** What a consumer does with a reading. */
    enum Verdict {
        ACK,
        REJECT
    }

    /** Decides on each reading. */
    interface Judge {
        Verdict judge(Reading reading);
    }

    AmqpPeer(int port) throws TourFailedException {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(port);
        factory.setAutomaticRecoveryEnabled(false);
        try {
            connection = factory.newConnection("tour");
            channel = connection.createChannel();
            consuming = connection.createChannel();
            channel.confirmSelect();
        } catch (IOException | TimeoutException e) {
            throw new TourFailedException("The AMQP client cannot connect: " + reason(e) + ".", e);
        }
    }

    /** Declares a durable queue whose rejected messages go to {@code deadLetters}, null for none. */
    void declareQueue(String name, @Nullable String deadLetters) throws TourFailedException {
        try {
            channel.queueDeclare(
                    name,
                    true,
                    false,
                    false,
                    deadLetters == null
                            ? Map.of()
                            : Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", deadLetters));
        } catch (IOException e) {
            throw new TourFailedException("The AMQP client cannot declare queue " + name + ": " + reason(e) + ".", e);
        }
    }

    void bind(String queue, String exchange, String pattern) throws TourFailedException {
        try {
            channel.queueBind(queue, exchange, pattern);
        } catch (IOException e) {
            throw new TourFailedException("The AMQP client cannot bind queue " + queue + ": " + reason(e) + ".", e);
        }
    }

    /** Publishes a persistent message and returns once the broker has confirmed it. */
    void publish(String exchange, Reading reading) throws TourFailedException {
        try {
            channel.basicPublish(
                    exchange,
                    reading.routingKey(),
                    MessageProperties.PERSISTENT_TEXT_PLAIN,
                    reading.value().getBytes(UTF_8));
            channel.waitForConfirmsOrDie(TIMEOUT_MILLIS);
        } catch (IOException | TimeoutException e) {
            throw new TourFailedException(
                    "The AMQP publish of " + reading + " was not confirmed: " + reason(e) + ".", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TourFailedException("Interrupted.", e);
        }
    }

    /** Consumes a queue into the mailbox. Rejected readings count as received. */
    String consume(String queue, Judge judge) throws TourFailedException {
        try {
            return consuming.basicConsume(
                    queue,
                    false,
                    (tag, delivery) -> {
                        Reading reading = read(delivery.getEnvelope().getRoutingKey(), delivery.getBody());
                        long deliveryTag = delivery.getEnvelope().getDeliveryTag();
                        if (judge.judge(reading) == Verdict.REJECT) {
                            consuming.basicReject(deliveryTag, false);
                        } else {
                            consuming.basicAck(deliveryTag, false);
                        }
                        mailbox.put(reading);
                    },
                    tag -> {});
        } catch (IOException e) {
            throw new TourFailedException("The AMQP client cannot consume " + queue + ": " + reason(e) + ".", e);
        }
    }

    void cancel(String consumerTag) throws TourFailedException {
        try {
            consuming.basicCancel(consumerTag);
        } catch (IOException e) {
            throw new TourFailedException("The AMQP client cannot cancel: " + reason(e) + ".", e);
        }
    }

    /**
     * A message looked at and put back.
     *
     * @param value payload
     * @param reason of its first death, empty if it has none
     */
    record Peeked(String value, String reason) {}

    /** The first message of a queue, which stays there; null if it is empty. */
    @Nullable
    Peeked peek(String queue) throws TourFailedException {
        try {
            GetResponse response = channel.basicGet(queue, false);
            if (response == null) {
                return null;
            }
            channel.basicNack(response.getEnvelope().getDeliveryTag(), false, true);
            AMQP.BasicProperties properties = response.getProps();
            Object reason = properties.getHeaders() == null
                    ? null
                    : properties.getHeaders().get("x-first-death-reason");
            return new Peeked(new String(response.getBody(), UTF_8), reason == null ? "" : reason.toString());
        } catch (IOException e) {
            throw new TourFailedException("The AMQP client cannot read queue " + queue + ": " + reason(e) + ".", e);
        }
    }

    private static Reading read(String routingKey, byte[] body) {
        return new Reading(routingKey.replace('.', '/'), new String(body, UTF_8));
    }

    private static String reason(Exception error) {
        Throwable cause = error.getCause() == null ? error : error.getCause();
        return String.valueOf(cause.getMessage());
    }

    @Override
    public void close() {
        connection.abort((int) TIMEOUT_MILLIS);
    }
}
