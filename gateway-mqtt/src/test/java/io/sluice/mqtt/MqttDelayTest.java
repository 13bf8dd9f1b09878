package io.sluice.mqtt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient.Mqtt5Publishes;
import com.hivemq.client.mqtt.mqtt5.Mqtt5Client;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5PubAckException;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5PublishBuilder;
import com.hivemq.client.mqtt.mqtt5.message.publish.puback.Mqtt5PubAckReasonCode;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Messages that are to be delivered later, by user property or by topic as in EMQX. */
@Timeout(60)
final class MqttDelayTest {
    @TempDir
    private Path directory;

    private RealBroker real;
    private Mqtt5BlockingClient client;
    private Mqtt5Publishes received;

    @BeforeEach
    void open() {
        real = new RealBroker(directory);
        client = Mqtt5Client.builder()
                .identifier("delays")
                .serverHost("127.0.0.1")
                .serverPort(real.port())
                .buildBlocking();
        client.connect();
        received = client.publishes(MqttGlobalPublishFilter.ALL);
    }

    @AfterEach
    void close() {
        received.close();
        client.disconnect();
        real.close();
    }

    private static Mqtt5PublishBuilder.Complete message(String topic, String body) {
        return Mqtt5Publish.builder().topic(topic).qos(MqttQos.AT_LEAST_ONCE).payload(body.getBytes(UTF_8));
    }

    private static Mqtt5Publish delayed(String topic, String body, String delay) {
        return message(topic, body)
                .userProperties()
                .add("x-delay", delay)
                .applyUserProperties()
                .build();
    }

    private Mqtt5Publish next() throws InterruptedException {
        return received.receive(20, TimeUnit.SECONDS).orElseThrow();
    }

    private static String body(Mqtt5Publish publish) {
        return new String(publish.getPayloadAsBytes(), UTF_8);
    }

    @Test
    void aUserPropertySaysHowLongAMessageWaits() throws Exception {
        client.subscribeWith().topicFilter("d/#").qos(MqttQos.AT_LEAST_ONCE).send();
        long start = System.nanoTime();
        client.publish(delayed("d/1", "late", "900"));
        client.publish(delayed("d/1", "soon", "300"));
        client.publish(delayed("d/1", "at once", "0"));

        assertThat(body(next())).isEqualTo("at once");
        assertThat(body(next())).isEqualTo("soon");
        Mqtt5Publish last = next();
        assertThat(body(last)).isEqualTo("late");
        assertThat(last.getTopic()).hasToString("d/1");
        assertThat(last.getQos()).isEqualTo(MqttQos.AT_LEAST_ONCE);
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(900));
    }

    @Test
    void aTopicSaysIt() throws Exception {
        client.subscribeWith().topicFilter("d/#").qos(MqttQos.AT_LEAST_ONCE).send();
        long start = System.nanoTime();
        try (MqttClient old = new MqttClient("tcp://127.0.0.1:" + real.port(), "old", new MemoryPersistence())) {
            old.connect();
            old.publish("$delayed/1/d/2", "one".getBytes(UTF_8), 0, false);
            old.publish("$delayed/1/d/2", "two".getBytes(UTF_8), 1, false);
            old.publish("$delayed/0/d/2", "at once".getBytes(UTF_8), 1, false);
            old.disconnect();
        }
        assertThat(body(next())).isEqualTo("at once");
        Mqtt5Publish one = next();
        assertThat(body(one)).isEqualTo("one");
        assertThat(one.getTopic()).hasToString("d/2");
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(TimeUnit.SECONDS.toNanos(1));
        assertThat(body(next())).isEqualTo("two");
    }

    @Test
    void whoSubscribesInBetweenGetsItAndARetainedOneIsKeptWhenItIsDue() throws Exception {
        client.publish(message("$delayed/1/d/3", "kept").retain(true).build());
        client.subscribeWith().topicFilter("d/3").qos(MqttQos.AT_LEAST_ONCE).send();
        Mqtt5Publish live = next();
        assertThat(body(live)).isEqualTo("kept");
        assertThat(live.isRetain()).as("a live message").isFalse();
        client.subscribeWith().topicFilter("d/+").qos(MqttQos.AT_LEAST_ONCE).send();
        Mqtt5Publish retained = next();
        assertThat(body(retained)).isEqualTo("kept");
        assertThat(retained.isRetain()).isTrue();
    }

    @Test
    void aMessageThatExpiresBeforeItIsDueIsNotDelivered() throws Exception {
        client.subscribeWith().topicFilter("d/#").qos(MqttQos.AT_LEAST_ONCE).send();
        client.publish(
                message("$delayed/2/d/4", "dead").messageExpiryInterval(1).build());
        client.publish(message("$delayed/3/d/4", "end").build());
        assertThat(body(next())).isEqualTo("end");
    }

    @Test
    void aTopicThatIsNotWellFormedIsRefused() {
        List<String> topics = List.of(
                "$delayed",
                "$delayed/",
                "$delayed/5",
                "$delayed/5/",
                "$delayed/x/t",
                "$delayed//t",
                "$delayed/-1/t",
                "$delayed/4294968/t",
                "$delayed/99999999999/t",
                "$delayed/1/$SYS/t");
        for (String topic : topics) {
            assertThat(refusal(message(topic, "x").build()))
                    .as(topic)
                    .isEqualTo(Mqtt5PubAckReasonCode.TOPIC_NAME_INVALID);
        }
    }

    @Test
    void aPropertyThatIsNoTimeIsRefused() {
        for (String delay : List.of("soon", "-5", "1.5", "", "315360000001", "99999999999999999999")) {
            assertThat(refusal(delayed("d/5", "x", delay)))
                    .as(delay)
                    .isEqualTo(Mqtt5PubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR);
        }
    }

    private Mqtt5PubAckReasonCode refusal(Mqtt5Publish publish) {
        return catchThrowableOfType(Mqtt5PubAckException.class, () -> client.publish(publish))
                .getMqttMessage()
                .getReasonCode();
    }
}
