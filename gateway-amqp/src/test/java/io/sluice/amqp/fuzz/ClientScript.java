package io.sluice.amqp.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * What an application may do in one connection with RabbitMQ's client, by chance. It waits for each answer, names all it makes, and
 * leaves nothing behind, so that the same bytes get the same answers again.
 */
final class ClientScript {
    private final Random random;
    private final Connection connection;
    private Channel channel;
    private int consumers;
    private long unacknowledged;

    private ClientScript(Connection connection, Random random) throws IOException {
        this.connection = connection;
        this.random = random;
        this.channel = open();
    }

    static void run(int port, int number, Random random) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(port);
        factory.setAutomaticRecoveryEnabled(false);
        factory.setRequestedHeartbeat(0);
        if (number % 10 > 0) { // the usual ones are longer than all the rest
            factory.setClientProperties(Map.of("product", "script"));
        }
        try (Connection connection = factory.newConnection()) {
            ClientScript script = new ClientScript(connection, random);
            for (int i = 3 + random.nextInt(10); i > 0; i--) {
                script.some();
            }
        }
    }

    private Channel open() throws IOException {
        Channel opened = connection.createChannel();
        unacknowledged = 0;
        opened.queueDeclare("own", false, true, false, Map.of("x-max-length", 10_000, "x-max-priority", 4));
        opened.confirmSelect();
        return opened;
    }

    private void some() throws Exception {
        switch (random.nextInt(11)) {
            case 0, 1 -> publish("", "own");
            case 2 -> publish("", "nowhere");
            case 3 -> {
                publish("", "own");
                GetResponse got = channel.basicGet("own", random.nextBoolean());
                unacknowledged = got.getEnvelope().getDeliveryTag();
                channel.queuePurge("own");
            }
            case 4 -> settle();
            case 5 -> exchange();
            case 6 -> consume();
            case 7 -> transaction();
            case 8 -> channel.basicQos(random.nextInt(200), random.nextBoolean());
            case 9 -> refused();
            default -> {
                channel.queueDeclarePassive("own");
                channel.messageCount("own");
                channel.basicRecover(true);
                unacknowledged = 0;
                channel.queuePurge("own");
            }
        }
    }

    private void publish(String exchange, String key) throws Exception {
        Map<String, Object> headers = new HashMap<>();
        headers.put("n", random.nextInt());
        headers.put("list", List.of("a", 1L, Map.of("deep", true)));
        AMQP.BasicProperties properties = random.nextBoolean()
                ? new AMQP.BasicProperties()
                : new AMQP.BasicProperties.Builder()
                        .contentType("text/plain")
                        .headers(headers)
                        .deliveryMode(1)
                        .priority(random.nextInt(5))
                        .messageId("m" + random.nextInt())
                        .build();
        channel.basicPublish(
                exchange,
                key,
                random.nextBoolean(),
                properties,
                "x".repeat(random.nextInt(60)).getBytes(UTF_8));
        channel.waitForConfirmsOrDie(20_000);
    }

    private void settle() throws Exception {
        publish("", "own");
        GetResponse got = channel.basicGet("own", false);
        long tag = got.getEnvelope().getDeliveryTag();
        switch (random.nextInt(4)) {
            case 0 -> channel.basicAck(tag, random.nextBoolean());
            case 1 -> channel.basicNack(tag, random.nextBoolean(), false);
            case 2 -> channel.basicReject(tag, false);
            default -> channel.basicNack(tag, false, true);
        }
        channel.queuePurge("own");
    }

    private void exchange() throws Exception {
        String type = List.of("direct", "fanout", "topic", "headers").get(random.nextInt(4));
        channel.exchangeDeclare("script", type, false, true, Map.of());
        channel.queueBind("own", "script", "a.*", Map.of("x-match", "any", "n", 1));
        channel.exchangeDeclare("second", type, false, false, false, Map.of("alternate-exchange", "amq.fanout"));
        channel.exchangeBind("second", "script", "#");
        publish("script", "a.b");
        channel.queueUnbind("own", "script", "a.*", Map.of("x-match", "any", "n", 1));
        channel.exchangeDelete("second");
        channel.exchangeDelete("script");
        channel.queuePurge("own");
    }

    private void consume() throws Exception {
        channel.queuePurge("own");
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        String tag = channel.basicConsume(
                "own",
                false,
                "consumer" + consumers++,
                false,
                random.nextBoolean(),
                Map.of("x-priority", 1),
                (ctag, delivery) -> deliveries.add(delivery),
                ctag -> {});
        long last = 0;
        for (int i = random.nextInt(4); i >= 0; i--) {
            publish("", "own");
            Delivery delivery = deliveries.poll(20, TimeUnit.SECONDS);
            if (delivery == null) {
                throw new AssertionError("no delivery");
            }
            last = delivery.getEnvelope().getDeliveryTag();
        }
        channel.basicAck(last, true);
        channel.basicCancel(tag);
    }

    private void transaction() throws Exception {
        Channel own = connection.createChannel();
        own.txSelect();
        own.basicPublish("", "own", null, "tx".getBytes(UTF_8));
        if (random.nextBoolean()) {
            own.txCommit();
        } else {
            own.txRollback();
        }
        own.close();
        channel.queuePurge("own");
    }

    private void refused() throws IOException {
        try {
            switch (random.nextInt(3)) {
                case 0 -> channel.queueDeclarePassive("missing");
                case 1 -> channel.queueDeclare("own", false, true, false, Map.of("x-max-length", 1));
                default -> channel.exchangeDeclare("amq.mine", "fanout");
            }
            throw new AssertionError("not refused");
        } catch (IOException e) {
            channel = open();
            channel.queuePurge("own");
        }
    }
}
