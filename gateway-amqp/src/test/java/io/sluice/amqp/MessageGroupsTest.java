package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.next;
import static io.sluice.amqp.AmqpPeers.replyCode;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Queue argument {@code x-message-groups}: order per group with competing consumers. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class MessageGroupsTest extends ClientTest {
    private static final int GROUPS = 20;
    private static final int PER_GROUP = 15;
    private static final int CONSUMERS = 4;

    private record Taken(Channel by, Delivery delivery) {
        String group() {
            return delivery.getProperties().getHeaders().get("x-group-id").toString();
        }

        int number() {
            return Integer.parseInt(new String(delivery.getBody(), UTF_8));
        }

        long tag() {
            return delivery.getEnvelope().getDeliveryTag();
        }
    }

    private void publish(String queue, String group, int number) throws IOException {
        AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
                .deliveryMode(2)
                .headers(Map.of("x-group-id", group))
                .build();
        channel.basicPublish("", queue, properties, Integer.toString(number).getBytes(UTF_8));
    }

    @Test
    void competingConsumersNeverReorderAGroupAndNeverShareIt() throws Exception {
        channel.confirmSelect();
        channel.queueDeclare("grouped", true, false, false, Map.of("x-message-groups", true));
        for (int number = 0; number < PER_GROUP; number++) {
            for (int group = 0; group < GROUPS; group++) {
                publish("grouped", "g" + group, number);
            }
        }
        channel.waitForConfirmsOrDie(10_000);
        BlockingQueue<Taken> taken = new LinkedBlockingQueue<>();
        for (int i = 0; i < CONSUMERS; i++) {
            Channel consumer = connection.createChannel();
            consumer.basicQos(5);
            consumer.basicConsume(
                    "grouped", false, (tag, delivery) -> taken.add(new Taken(consumer, delivery)), tag -> {});
        }
        Random random = new Random(7);
        List<Taken> held = new ArrayList<>();
        Map<String, Integer> firsts = new HashMap<>();
        int acked = 0;
        while (acked < GROUPS * PER_GROUP) {
            Taken got = taken.poll(held.isEmpty() ? 10_000 : 0, TimeUnit.MILLISECONDS);
            assertThat(got != null || !held.isEmpty())
                    .as("a delivery within 10 s")
                    .isTrue();
            if (got != null) {
                assertThat(held)
                        .as("holders of %s", got.group())
                        .allMatch(other -> !other.group().equals(got.group()) || other.by() == got.by());
                if (!got.delivery().getEnvelope().isRedeliver()) {
                    assertThat(got.number()).isEqualTo(firsts.getOrDefault(got.group(), 0));
                    firsts.put(got.group(), got.number() + 1);
                }
                held.add(got);
            }
            if (held.size() > 10 || taken.isEmpty()) {
                Taken settled = held.remove(random.nextInt(held.size()));
                if (random.nextInt(4) == 0) {
                    settled.by().basicReject(settled.tag(), true);
                } else {
                    settled.by().basicAck(settled.tag(), false);
                    acked++;
                }
            }
        }
        assertThat(firsts.values()).containsOnly(PER_GROUP);
    }

    @Test
    void oneOfAGroupAtATimeAndByKey() throws Exception {
        channel.queueDeclare(
                "single",
                true,
                false,
                false,
                Map.of(
                        "x-message-groups", true,
                        "x-message-groups-by", "key",
                        "x-message-groups-one-in-flight", true));
        for (int i = 0; i < 3; i++) {
            channel.basicPublish("", "single", null, Integer.toString(i).getBytes(UTF_8));
        }
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        channel.basicConsume("single", false, (tag, delivery) -> got.add(delivery), tag -> {});
        for (int i = 0; i < 3; i++) {
            Delivery delivery = next(got);
            assertThat(delivery.getBody()).asString().isEqualTo(Integer.toString(i));
            // the answer comes behind whatever was deliverable
            assertThat(channel.messageCount("single")).isEqualTo(2 - i);
            assertThat(got).isEmpty();
            channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
        }
    }

    @Test
    void badArgumentsAreRefused() throws Exception {
        assertRefused(Map.of("x-message-groups", "yes"));
        assertRefused(Map.of("x-message-groups", true, "x-message-groups-by", "colour"));
        assertRefused(Map.of("x-message-groups-by", "key"));
        assertRefused(Map.of("x-message-groups", false, "x-message-groups-one-in-flight", true));
    }

    private void assertRefused(Map<String, Object> arguments) throws IOException {
        Channel own = connection.createChannel();
        assertThatThrownBy(() -> own.queueDeclare("bad", true, false, false, arguments))
                .satisfies(e -> assertThat(replyCode(e)).isEqualTo(406));
    }
}
