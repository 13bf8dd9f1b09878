package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.factory;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.impl.AMQConnection;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.amqp091.session.ConnectionInfo.Publishing;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Publishers of a queue whose consumers have fallen behind are slowed, and lose nothing by it. */
final class SlowedPublishersTest extends ClientTest {
    private static final int BACKLOG = 5_000;

    private volatile boolean slowed;

    @Test
    void consumersThatNearlyKeepUpSlowThePublisherUntilTheyHaveCaughtUp() throws Exception {
        channel.queueDeclare("behind", true, false, false, null);
        AtomicInteger received = new AtomicInteger();
        AtomicInteger published = new AtomicInteger();
        AtomicInteger outOfOrder = new AtomicInteger();
        try (Connection publisher = factory(broker.port()).newConnection("publisher");
                Channel publishes = publisher.createChannel()) {
            while (published.get() < BACKLOG) {
                publish(publishes, published.getAndIncrement());
            }
            channel.basicQos(100);
            channel.basicConsume("behind", false, new DefaultConsumer(channel) {
                @Override
                public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
                        throws IOException {
                    if (Integer.parseInt(new String(body, UTF_8)) != received.getAndIncrement()) {
                        outOfOrder.incrementAndGet();
                    }
                    // for each message that goes a new one comes, so they hold the backlog and do not reduce it
                    if (!slowed) {
                        publish(publishes, published.getAndIncrement());
                    }
                    getChannel().basicAck(envelope.getDeliveryTag(), false);
                }
            });
            await().atMost(Duration.ofSeconds(30))
                    .pollInterval(Duration.ofMillis(1))
                    .until(() -> publishing(publisher) == Publishing.FLOW);
            slowed = true;
            await().atMost(Duration.ofSeconds(30)).until(() -> received.get() == published.get());
            assertThat(outOfOrder).hasValue(0);

            await().until(() -> publishing(publisher) == Publishing.RUNNING);
            publish(publishes, published.getAndIncrement());
            await().atMost(Duration.ofSeconds(30)).until(() -> received.get() == published.get());
            assertThat(publishing(connection)).as("it consumes").isEqualTo(Publishing.RUNNING);
        }
    }

    private static void publish(Channel to, int number) throws IOException {
        to.basicPublish("", "behind", null, Integer.toString(number).getBytes(UTF_8));
    }

    private static Publishing publishing(Connection of) throws Exception {
        int port = ((AMQConnection) of).getLocalPort();
        return broker.gateway().connections().toCompletableFuture().get(10, TimeUnit.SECONDS).stream()
                .filter(info -> info.peer().getPort() == port)
                .map(ConnectionInfo::publishing)
                .findFirst()
                .orElseThrow();
    }
}
