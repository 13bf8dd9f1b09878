package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Time to live, priority and limits outlive a broker that is killed. */
class QueueFeaturesIT {
    @TempDir
    static Path directory;

    private static void publish(Channel channel, String queue, Integer priority, String expiration, String body)
            throws IOException {
        channel.basicPublish(
                "",
                queue,
                new AMQP.BasicProperties.Builder()
                        .deliveryMode(2)
                        .priority(priority)
                        .expiration(expiration)
                        .build(),
                body.getBytes(UTF_8));
    }

    private static boolean isGone(Connection connection, String queue) throws IOException {
        try {
            connection.createChannel().queueDeclarePassive(queue);
            return false;
        } catch (IOException e) {
            return e.getCause() instanceof ShutdownSignalException;
        }
    }

    private static List<String> drain(Channel channel, String queue) throws IOException {
        List<String> bodies = new ArrayList<>();
        GetResponse got = channel.basicGet(queue, true);
        while (got != null) {
            bodies.add(new String(got.getBody(), UTF_8));
            got = channel.basicGet(queue, true);
        }
        return bodies;
    }

    @Test
    void survivesAKill() throws Exception {
        try (BrokerProcess broker = new BrokerProcess(directory)) {
            Map<String, Object> limited = Map.of("x-max-length", 3, "x-overflow", "reject-publish");
            Map<String, Object> perishing = Map.of(
                    "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "expired", "x-message-ttl", 3_600_000);
            Connection before = broker.connectAmqp();
            Channel channel = before.createChannel();
            channel.confirmSelect();
            channel.queueDeclare("levels", true, false, false, Map.of("x-max-priority", 3));
            channel.queueDeclare("perishing", true, false, false, perishing);
            channel.queueDeclare("expired", true, false, false, null);
            channel.queueDeclare("limited", true, false, false, limited);
            channel.queueDeclare("brief", true, false, false, Map.of("x-expires", 1_000));
            for (int i = 0; i < 3; i++) {
                publish(channel, "levels", 1, null, "low" + i);
                publish(channel, "levels", 3, null, "top" + i);
                publish(channel, "levels", 2, null, "mid" + i);
                publish(channel, "limited", 0, null, "" + i);
            }
            publish(channel, "perishing", 0, "1500", "soon");
            publish(channel, "perishing", 0, "3000000", "late");
            channel.waitForConfirmsOrDie(30_000);
            GetResponse unsettled = channel.basicGet("levels", false);
            assertThat(new String(unsettled.getBody(), UTF_8)).isEqualTo("top0");
            broker.kill();
            before.abort();
            broker.start();

            Connection after = broker.connectAmqp();
            Channel again = after.createChannel();
            again.confirmSelect();
            again.queueDeclare("perishing", true, false, false, perishing);
            await().atMost(Duration.ofSeconds(20)).until(() -> again.messageCount("expired") == 1);
            GetResponse letter = again.basicGet("expired", true);
            assertThat(new String(letter.getBody(), UTF_8)).isEqualTo("soon");
            assertThat(letter.getProps().getExpiration()).isNull();
            assertThat(letter.getProps().getHeaders().get("x-first-death-reason"))
                    .hasToString("expired");
            assertThat(letter.getProps().getHeaders().get("x-death").toString()).contains("original-expiration=1500");
            assertThat(drain(again, "perishing")).containsExactly("late");
            assertThat(drain(again, "levels"))
                    .containsExactly("top0", "top1", "top2", "mid0", "mid1", "mid2", "low0", "low1", "low2");
            publish(again, "limited", 0, null, "too many");
            assertThat(again.waitForConfirms(30_000)).isFalse();
            assertThat(drain(again, "limited")).containsExactly("0", "1", "2");
            // asking renews the queue's time: slower than it takes to expire
            await().atMost(Duration.ofSeconds(20))
                    .pollInterval(Duration.ofMillis(1_500))
                    .until(() -> isGone(after, "brief"));
            after.close();
        }
    }
}
