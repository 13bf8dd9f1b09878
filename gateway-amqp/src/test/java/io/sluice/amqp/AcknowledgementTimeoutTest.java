package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.consume;
import static io.sluice.amqp.AmqpPeers.next;
import static io.sluice.amqp.AmqpPeers.replyCode;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Deliveries that nobody acknowledges. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class AcknowledgementTimeoutTest extends ClientTest {
    private void declare(String queue, Map<String, Object> arguments) throws IOException {
        channel.queueDeclare(queue, true, false, false, arguments);
        channel.basicPublish("", queue, null, "m".getBytes(UTF_8));
    }

    private static void assertTimedOut(Channel closing, int millis) {
        await().atMost(10, TimeUnit.SECONDS).until(() -> !closing.isOpen());
        assertThat(replyCode(closing.getCloseReason())).isEqualTo(406);
        assertThat(closing.getCloseReason().getMessage())
                .contains("delivery acknowledgement on channel " + closing.getChannelNumber()
                        + " timed out. Timeout value used: " + millis + " ms.");
    }

    @Test
    void theChannelIsClosedAndTheMessageComesBack() throws Exception {
        declare("held", Map.of("x-consumer-timeout", 400));
        Channel holder = connection.createChannel();
        next(consume(holder, "held", false));
        assertTimedOut(holder, 400);
        Delivery again = next(consume(channel, "held", true));
        assertThat(again.getEnvelope().isRedeliver()).isTrue();
    }

    @Test
    void aConsumersOwnTimeGoesBeforeTheQueues() throws Exception {
        declare("patient", Map.of("x-queue-type", "quorum", "x-consumer-timeout", 600_000));
        Channel holder = connection.createChannel();
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        holder.basicConsume(
                "patient", false, Map.of("x-consumer-timeout", 300), (tag, delivery) -> got.add(delivery), tag -> {});
        next(got);
        assertTimedOut(holder, 300);
    }

    @Test
    void aGetIsWatchedToo() throws Exception {
        declare("got", Map.of("x-consumer-timeout", 300));
        Channel holder = connection.createChannel();
        await().until(() -> holder.basicGet("got", false) != null);
        assertTimedOut(holder, 300);
    }

    @Test
    void whoAcknowledgesInTimeStays() throws Exception {
        declare("quick", Map.of("x-consumer-timeout", 400));
        Channel worker = connection.createChannel();
        BlockingQueue<Delivery> got = consume(worker, "quick", false);
        for (int i = 0; i < 6; i++) {
            Delivery delivery = next(got);
            await().pollDelay(150, TimeUnit.MILLISECONDS).until(() -> true);
            worker.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
            channel.basicPublish("", "quick", null, "m".getBytes(UTF_8));
        }
        assertThat(worker.isOpen()).isTrue();
    }

    @Test
    void aTimeMustBeANumber() throws Exception {
        Channel own = connection.createChannel();
        assertThatThrownBy(() -> own.queueDeclare("bad", true, false, false, Map.of("x-consumer-timeout", -1)))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
    }
}
