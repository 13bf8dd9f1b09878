package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.eclipse.paho.mqttv5.client.IMqttMessageListener;
import org.eclipse.paho.mqttv5.client.MqttClient;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttSubscription;

/**
 * Passes a message through each protocol of a running broker, and the MQTT one on to AMQP as well. Ends with 1 and a sentence if
 * one does not arrive. Arguments: the MQTT, AMQP and Kafka ports.
 */
public final class SmokeCheck {
    private static final long LIMIT_MS = 20_000;

    private SmokeCheck() {}

    public static void main(String[] ports) throws Exception {
        mqttAndAmqp(Integer.parseInt(ports[0]), Integer.parseInt(ports[1]));
        kafka(Integer.parseInt(ports[2]));
        System.out.println("MQTT, AMQP and Kafka clients each got their message");
    }

    private static void mqttAndAmqp(int mqttPort, int amqpPort) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(amqpPort);
        BlockingQueue<byte[]> arrived = new LinkedBlockingQueue<>();
        try (Connection connection = factory.newConnection();
                Channel channel = connection.createChannel()) {
            String queue =
                    channel.queueDeclare("smoke", true, false, false, Map.of()).getQueue();
            channel.queueBind(queue, "amq.topic", "smoke.*");
            channel.confirmSelect();
            channel.basicPublish(
                    "",
                    queue,
                    new AMQP.BasicProperties.Builder().deliveryMode(2).build(),
                    bytes("amqp"));
            channel.waitForConfirmsOrDie(LIMIT_MS);
            expect("AMQP", "amqp", channel.basicGet(queue, true).getBody());

            MqttClient device = new MqttClient("tcp://127.0.0.1:" + mqttPort, "smoke", new MemoryPersistence());
            device.connect();
            IMqttMessageListener listener = (topic, message) -> arrived.add(message.getPayload());
            device.subscribe(
                    new MqttSubscription[] {new MqttSubscription("smoke/+", 1)}, new IMqttMessageListener[] {listener});
            device.publish("smoke/test", bytes("mqtt"), 1, false);
            expect("MQTT", "mqtt", arrived.poll(LIMIT_MS, TimeUnit.MILLISECONDS));
            expect("MQTT to AMQP", "mqtt", channel.basicGet(queue, true).getBody());
            device.disconnect();
            device.close();
        }
    }

    private static void kafka(int port) throws Exception {
        String servers = "127.0.0.1:" + port;
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", servers), new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>("smoke-topic", "kafka")).get(LIMIT_MS, TimeUnit.MILLISECONDS);
        }
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", servers, "group.id", "smoke", "auto.offset.reset", "earliest"),
                new StringDeserializer(),
                new StringDeserializer())) {
            consumer.subscribe(List.of("smoke-topic"));
            long end = System.currentTimeMillis() + LIMIT_MS;
            while (System.currentTimeMillis() < end) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    expect("Kafka", "kafka", bytes(record.value()));
                    return;
                }
            }
            expect("Kafka", "kafka", null);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    private static void expect(String protocol, String payload, byte[] got) {
        if (got == null || !Arrays.equals(bytes(payload), got)) {
            System.err.println(
                    protocol + ": expected " + payload + ", got " + (got == null ? "nothing" : new String(got, UTF_8)));
            System.exit(1);
        }
    }
}
