package io.sluice.amqp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.GetResponse;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** What becomes of dead letters: their history, their time to live, and cycles. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class DeadLetterTest extends ClientTest {
    @BeforeEach
    void confirm() throws IOException {
        channel.confirmSelect();
    }

    /** A queue whose dead letters go to another one by the default exchange. */
    private void declare(String name, String deadLettersTo, Object... pairs) throws IOException {
        Map<String, Object> arguments = new HashMap<>();
        arguments.put("x-dead-letter-exchange", "");
        arguments.put("x-dead-letter-routing-key", deadLettersTo);
        for (int i = 0; i < pairs.length; i += 2) {
            arguments.put((String) pairs[i], pairs[i + 1]);
        }
        channel.queueDeclare(name, true, false, false, arguments);
    }

    private void publish(String queue, AMQP.BasicProperties properties, String body) throws Exception {
        channel.basicPublish("", queue, properties, body.getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
    }

    private static AMQP.BasicProperties.Builder persistent() {
        return new AMQP.BasicProperties.Builder().deliveryMode(2);
    }

    private GetResponse get(String queue) throws IOException {
        GetResponse[] got = new GetResponse[1];
        await().until(() -> (got[0] = channel.basicGet(queue, false)) != null);
        return got[0];
    }

    private static List<Map<String, Object>> deaths(GetResponse letter) {
        List<Map<String, Object>> deaths = new ArrayList<>();
        for (Object entry : (List<?>) letter.getProps().getHeaders().get("x-death")) {
            Map<String, Object> death = new HashMap<>();
            ((Map<?, ?>) entry)
                    .forEach((name, value) -> death.put(
                            name.toString(),
                            value instanceof Long || value instanceof Date ? value : String.valueOf(value)));
            deaths.add(death);
        }
        return deaths;
    }

    @Test
    void anExpiredMessageTellsWhyAndDoesNotExpireAgain() throws Exception {
        channel.queueDeclare("expired", true, false, false, null);
        declare("perishing", "expired");
        Instant before = Instant.now().minusSeconds(2);
        publish(
                "perishing",
                persistent().expiration("80").priority(4).messageId("m").build(),
                "a");
        GetResponse letter = get("expired");
        assertThat(letter.getProps().getExpiration()).isNull();
        assertThat(letter.getProps().getPriority()).isEqualTo(4);
        assertThat(letter.getProps().getMessageId()).isEqualTo("m");
        assertThat(deaths(letter)).hasSize(1);
        Map<String, Object> death = deaths(letter).get(0);
        assertThat(death)
                .containsEntry("reason", "expired")
                .containsEntry("queue", "perishing")
                .containsEntry("count", 1L)
                .containsEntry("exchange", "")
                .containsEntry("routing-keys", "[perishing]")
                .containsEntry("original-expiration", "80");
        assertThat(((Date) death.get("time")).toInstant())
                .isBetween(before, Instant.now().plusSeconds(1));
        for (String end : List.of("first", "last")) {
            Map<String, Object> headers = letter.getProps().getHeaders();
            assertThat(headers.get("x-" + end + "-death-reason")).hasToString("expired");
            assertThat(headers.get("x-" + end + "-death-queue")).hasToString("perishing");
            assertThat(headers.get("x-" + end + "-death-exchange")).hasToString("");
        }
        channel.basicNack(letter.getEnvelope().getDeliveryTag(), false, true);
        assertThat(get("expired").getEnvelope().isRedeliver()).isTrue();
    }

    @Test
    void propertiesKeptWholeLoseTheirExpirationToo() throws Exception {
        channel.queueDeclare("whole", true, false, false, null);
        declare("nested", "whole");
        AMQP.BasicProperties properties = persistent()
                .contentType("text/plain")
                .headers(Map.of("table", Map.of("a", 1)))
                .priority(2)
                .correlationId("c")
                .replyTo("r")
                .expiration("50")
                .messageId("m")
                .timestamp(new Date(1_600_000_000_000L))
                .appId("app")
                .build();
        publish("nested", properties, "a");
        AMQP.BasicProperties got = get("whole").getProps();
        assertThat(got.getExpiration()).isNull();
        assertThat(got.getHeaders().get("table")).hasToString("{a=1}");
        assertThat(got.getContentType()).isEqualTo("text/plain");
        assertThat(got.getPriority()).isEqualTo(2);
        assertThat(got.getCorrelationId()).isEqualTo("c");
        assertThat(got.getReplyTo()).isEqualTo("r");
        assertThat(got.getMessageId()).isEqualTo("m");
        assertThat(got.getTimestamp()).isEqualTo(new Date(1_600_000_000_000L));
        assertThat(got.getAppId()).isEqualTo("app");
    }

    @Test
    void aMessageOfAQueueWithATimeToLiveHasNoOriginalExpiration() throws Exception {
        channel.queueDeclare("after-queue-ttl", true, false, false, null);
        declare("queue-ttl", "after-queue-ttl", "x-message-ttl", 50);
        publish("queue-ttl", persistent().build(), "a");
        assertThat(deaths(get("after-queue-ttl")).get(0))
                .containsEntry("reason", "expired")
                .doesNotContainKey("original-expiration");
    }

    @Test
    void retriesGoRoundAndCountBecauseAConsumerRejects() throws Exception {
        declare("work", "wait");
        declare("wait", "work", "x-message-ttl", 50);
        publish("work", persistent().build(), "a");
        for (int round = 1; round <= 3; round++) {
            GetResponse got = get("work");
            if (round > 1) {
                assertThat(deaths(got)).hasSize(2);
                assertThat(deaths(got).get(0))
                        .containsEntry("queue", "wait")
                        .containsEntry("reason", "expired")
                        .containsEntry("count", round - 1L);
                assertThat(deaths(got).get(1))
                        .containsEntry("queue", "work")
                        .containsEntry("reason", "rejected")
                        .containsEntry("count", round - 1L);
                assertThat(got.getProps().getHeaders().get("x-first-death-queue"))
                        .hasToString("work");
                assertThat(got.getProps().getHeaders().get("x-last-death-queue"))
                        .hasToString("wait");
            }
            channel.basicReject(got.getEnvelope().getDeliveryTag(), false);
        }
        assertThat(deaths(get("work"))).hasSize(2);
    }

    @Test
    void aCycleWithoutARejectionEnds() throws Exception {
        declare("ring-a", "ring-b", "x-message-ttl", 50);
        declare("ring-b", "ring-a", "x-message-ttl", 50);
        channel.exchangeDeclare("ring", "fanout");
        channel.queueDeclare("witness", true, false, false, null);
        Map<String, Object> arguments = new HashMap<>();
        arguments.put("x-dead-letter-exchange", "ring");
        arguments.put("x-message-ttl", 50);
        channel.queueDeclare("ring-c", true, false, false, arguments);
        channel.queueBind("ring-c", "ring", "");
        channel.queueBind("witness", "ring", "");
        publish("ring-a", persistent().build(), "a");
        publish("ring-c", persistent().build(), "c");
        // dropped for the queue that it died in, passed on to the other
        assertThat(deaths(get("witness")).get(0))
                .containsEntry("queue", "ring-c")
                .containsEntry("count", 1L);
        await().until(() -> channel.messageCount("ring-a") + channel.messageCount("ring-b") == 0
                && broker.host().table().queue("ring-a").stats().unacked() == 0
                && broker.host().table().queue("ring-b").stats().unacked() == 0);
        assertThat(channel.messageCount("ring-c")).isZero();
        assertThat(channel.basicGet("witness", true)).isNull();
    }

    @Test
    void deliveryLimitAndMaxLengthAreNamed() throws Exception {
        channel.queueDeclare("limits", true, false, false, null);
        declare("tried", "limits", "x-queue-type", "quorum", "x-delivery-limit", 1);
        publish("tried", persistent().build(), "a");
        for (int i = 0; i < 2; i++) {
            channel.basicNack(get("tried").getEnvelope().getDeliveryTag(), false, true);
        }
        assertThat(deaths(get("limits")).get(0)).containsEntry("reason", "delivery_limit");
        declare("short", "limits", "x-max-length", 0);
        publish("short", persistent().build(), "b");
        assertThat(deaths(get("limits")).get(0))
                .containsEntry("reason", "maxlen")
                .containsEntry("queue", "short");
    }

    @Test
    void deadLettersKeepTheirPriority() throws Exception {
        channel.queueDeclare("sorted", true, false, false, Map.of("x-max-priority", 10));
        declare("unsorted", "sorted", "x-max-length", 0);
        publish("unsorted", persistent().priority(1).build(), "low");
        publish("unsorted", persistent().priority(9).build(), "high");
        await().until(() -> channel.messageCount("sorted") == 2);
        assertThat(new String(get("sorted").getBody(), UTF_8)).isEqualTo("high");
        assertThat(new String(get("sorted").getBody(), UTF_8)).isEqualTo("low");
    }
}
