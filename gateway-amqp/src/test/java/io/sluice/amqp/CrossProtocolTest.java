package io.sluice.amqp;

import static io.sluice.amqp.AmqpPeers.consume;
import static io.sluice.amqp.AmqpPeers.factory;
import static io.sluice.amqp.AmqpPeers.next;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.MessageProperties;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.sluice.access.Caller;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamInfo;
import io.sluice.log.record.BatchBuilder;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.BuiltBatch;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.routing.Binding;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.io.IOException;
import java.util.Date;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** AMQP consumers of what other protocols produced, and streams that are fed by AMQP publishers. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
class CrossProtocolTest extends ClientTest {
    private static final Caller CALLER = Caller.broker("/");

    @BeforeEach
    void confirm() throws IOException {
        channel.confirmSelect();
    }

    /** As the MQTT door does: key = topic, header {@code sl.qos}, user properties as headers. */
    private static void publishMqtt(String topic, int qos, String value, Map<String, String> properties)
            throws Exception {
        submit(batch -> {
            batch.begin();
            RecordFields.writeBytes(batch.buffer(), topic.getBytes(UTF_8));
            RecordFields.writeBytes(batch.buffer(), value.getBytes(UTF_8));
            batch.headers();
            RecordFields.writeHeader(
                    batch.buffer(), MessageHeaders.QOS, Integer.toString(qos).getBytes(UTF_8));
            properties.forEach((name, text) ->
                    RecordFields.writeHeader(batch.buffer(), name.getBytes(UTF_8), text.getBytes(UTF_8)));
            batch.end(
                    1 + properties.size(),
                    broker.host().table().routeTopic(topic, qos, false, null).stored(),
                    topic.hashCode(),
                    System.currentTimeMillis(),
                    qos > 0 ? Durability.GROUP : Durability.MEMORY,
                    1);
        });
    }

    /** A message that no door can read: it announces headers that it does not have. */
    private static void publishBroken(String exchange) throws Exception {
        submit(batch -> {
            batch.begin();
            RecordFields.writeBytes(batch.buffer(), "key".getBytes(UTF_8));
            RecordFields.writeBytes(batch.buffer(), "broken".getBytes(UTF_8));
            batch.headers();
            batch.end(
                    1_000_000,
                    broker.host().table().route(exchange, "", 1, null).stored(),
                    0,
                    System.currentTimeMillis(),
                    Durability.GROUP,
                    1);
        });
    }

    private static void submit(java.util.function.Consumer<PublishBatch> fill) throws Exception {
        CompletableFuture<@Nullable Void> stored = new CompletableFuture<>();
        PublishBatch batch = new PublishBatch(
                CALLER,
                new PublishBatch.Completion() {
                    @Override
                    public Executor executor() {
                        return Runnable::run;
                    }

                    @Override
                    public void completed(PublishBatch done, @Nullable LogException error) {
                        if (error == null) {
                            stored.complete(null);
                        } else {
                            stored.completeExceptionally(error);
                        }
                    }
                },
                PooledByteBufAllocator.DEFAULT,
                256);
        fill.accept(batch);
        assertThat(broker.broker().shard().submit(batch)).isTrue();
        stored.get(10, TimeUnit.SECONDS);
    }

    /** As a Kafka client does: a record batch straight into a partition. */
    private static void produceKafka(StreamInfo stream, String key, @Nullable String value, Map<String, String> headers)
            throws Exception {
        ByteBuf fields = Unpooled.buffer();
        RecordFields.writeBytes(fields, key == null ? null : key.getBytes(UTF_8));
        RecordFields.writeBytes(fields, value == null ? null : value.getBytes(UTF_8));
        int headersAt = fields.writerIndex();
        headers.forEach((name, text) -> RecordFields.writeHeader(fields, name.getBytes(UTF_8), text.getBytes(UTF_8)));
        BatchBuilder builder = new BatchBuilder(PooledByteBufAllocator.DEFAULT);
        builder.add(System.currentTimeMillis(), fields, 0, headersAt, fields.writerIndex(), headers.size());
        BuiltBatch built = builder.finish();
        CompletableFuture<LogPartition.Appended> appended = new CompletableFuture<>();
        broker.broker()
                .shard()
                .produce(
                        CALLER,
                        new PartitionId(stream.id(), 0),
                        built.buffer(),
                        Durability.GROUP,
                        new ShardProxy.ProduceCompletion() {
                            @Override
                            public Executor executor() {
                                return Runnable::run;
                            }

                            @Override
                            public void completed(LogPartition.@Nullable Appended done, @Nullable LogException error) {
                                if (error == null) {
                                    appended.complete(done);
                                } else {
                                    appended.completeExceptionally(error);
                                }
                            }
                        });
        appended.get(10, TimeUnit.SECONDS);
    }

    private static StreamInfo stream(String name) throws Exception {
        return broker.host()
                .declareStream(CALLER, name, 1, StreamConfig.DEFAULT, Map.of())
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
    }

    private static void bridge(String stream, String exchange) throws Exception {
        broker.host()
                .bind(
                        CALLER,
                        new Binding(
                                new Binding.End(Binding.Kind.STREAM, stream),
                                new Binding.End(Binding.Kind.EXCHANGE, exchange),
                                "",
                                Map.of(),
                                Binding.Origin.API))
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
    }

    @Test
    void mqttPublishReachesAQueueBoundToTheTopicExchange() throws Exception {
        String queue = channel.queueDeclare().getQueue();
        channel.queueBind(queue, "amq.topic", "sensors.*.temp");
        BlockingQueue<Delivery> deliveries = consume(channel, queue, false);
        publishMqtt(
                "sensors/7/temp",
                1,
                "21",
                Map.of("unit", "C", "reply-to", "/exchanges/amq.topic/rsp.7", "content-type", "text/plain"));
        publishMqtt("sensors/8/temp", 0, "22", Map.of());
        Delivery first = next(deliveries);
        assertThat(first.getBody()).isEqualTo("21".getBytes(UTF_8));
        assertThat(first.getEnvelope().getExchange()).isEqualTo("amq.topic");
        assertThat(first.getEnvelope().getRoutingKey()).isEqualTo("sensors.7.temp");
        AMQP.BasicProperties properties = first.getProperties();
        assertThat(properties.getDeliveryMode()).isEqualTo(2);
        assertThat(properties.getContentType()).isEqualTo("text/plain");
        assertThat(properties.getReplyTo()).isEqualTo("/exchanges/amq.topic/rsp.7");
        assertThat(properties.getHeaders().get("unit").toString()).isEqualTo("C");
        assertThat(properties.getHeaders().get("x-reply-to-topic").toString()).isEqualTo("rsp/7");
        Delivery second = next(deliveries);
        assertThat(second.getProperties().getDeliveryMode()).isEqualTo(1);
        channel.basicNack(first.getEnvelope().getDeliveryTag(), false, true);
        assertThat(next(deliveries).getEnvelope().isRedeliver()).isTrue();

        // the worker answers as it does everywhere: to the default exchange, with reply-to as routing key
        String answers = channel.queueDeclare().getQueue();
        channel.queueBind(answers, "amq.topic", "rsp.7");
        channel.basicPublish("", properties.getReplyTo(), true, null, "done".getBytes(UTF_8));
        Delivery answer = next(consume(channel, answers, true));
        assertThat(answer.getEnvelope().getExchange()).isEqualTo("amq.topic");
        assertThat(answer.getEnvelope().getRoutingKey()).isEqualTo("rsp.7");
    }

    @Test
    void aMessageThatCannotBeWrittenEndsItsConnectionAndComesBack() throws Exception {
        channel.exchangeDeclare("mixed", "fanout", true);
        channel.queueDeclare("sound", true, false, false, Map.of());
        channel.queueDeclare("broken", true, false, false, Map.of());
        channel.queueBind("sound", "mixed", "");
        channel.queueBind("broken", "mixed", "");
        BlockingQueue<Delivery> sound = consume(channel, "sound", false);
        channel.basicPublish("mixed", "", null, "before".getBytes(UTF_8));
        assertThat(next(sound).getBody()).isEqualTo("before".getBytes(UTF_8));
        channel.queueUnbind("sound", "mixed", "");
        publishBroken("mixed");
        Connection victim = factory(broker.port()).newConnection();
        consume(victim.createChannel(), "broken", false);
        await().until(() -> !victim.isOpen());
        channel.queueBind("sound", "mixed", "");
        channel.basicPublish("mixed", "", null, "after".getBytes(UTF_8));
        assertThat(next(sound).getBody()).isEqualTo("after".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
        await().untilAsserted(
                        () -> assertThat(channel.queueDeclarePassive("broken").getMessageCount())
                                .isEqualTo(3));
        channel.queueDelete("broken");
    }

    @Test
    void kafkaRecordsReachQueuesOverABoundStreamAndAreDurable() throws Exception {
        StreamInfo commands = stream("commands");
        channel.exchangeDeclare("work", "fanout", true);
        channel.queueDeclare("workers", true, false, false, Map.of("x-dead-letter-exchange", "graves"));
        channel.queueBind("workers", "work", "");
        channel.exchangeDeclare("graves", "fanout", true);
        String graves = channel.queueDeclare().getQueue();
        channel.queueBind(graves, "graves", "");
        bridge("commands", "work");
        BlockingQueue<Delivery> deliveries = consume(channel, "workers", false);
        produceKafka(commands, "device-7", "on", Map.of("traceparent", "00-1"));
        Delivery delivery = next(deliveries);
        assertThat(delivery.getBody()).isEqualTo("on".getBytes(UTF_8));
        assertThat(delivery.getEnvelope().getExchange()).isEqualTo("work");
        assertThat(delivery.getEnvelope().getRoutingKey()).isEqualTo("commands");
        assertThat(delivery.getProperties().getDeliveryMode()).isEqualTo(2);
        assertThat(delivery.getProperties().getHeaders().get("traceparent").toString())
                .isEqualTo("00-1");
        assertThat(delivery.getProperties().getHeaders().get("x-key").toString())
                .isEqualTo("device-7");
        assertThat(delivery.getProperties().getTimestamp()).isBetween(new Date(0), new Date());
        channel.basicReject(delivery.getEnvelope().getDeliveryTag(), false);
        Delivery letter = next(consume(channel, graves, true));
        assertThat(letter.getBody()).isEqualTo("on".getBytes(UTF_8));
        assertThat(letter.getProperties()
                        .getHeaders()
                        .get("x-first-death-queue")
                        .toString())
                .isEqualTo("workers");
    }

    @Test
    void streamDeclaredAndBoundByAnAmqpClientGetsWhatItsExchangeRoutes() throws Exception {
        channel.queueDeclare("telemetry", true, false, false, Map.of("x-queue-type", "stream"));
        channel.queueDeclare("telemetry", true, false, false, Map.of("x-queue-type", "stream"));
        channel.exchangeDeclare("readings", "direct", true);
        channel.queueBind("telemetry", "readings", "temp");
        String queue = channel.queueDeclare().getQueue();
        channel.queueBind(queue, "readings", "temp");
        for (int i = 0; i < 10; i++) {
            channel.basicPublish(
                    "readings", "temp", MessageProperties.PERSISTENT_TEXT_PLAIN, ("t" + i).getBytes(UTF_8));
        }
        channel.basicPublish("readings", "hum", MessageProperties.PERSISTENT_TEXT_PLAIN, "no".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
        StreamInfo stream = broker.host().table().stream("telemetry");
        LogPartition partition = broker.engine().partition(new PartitionId(stream.id(), 0));
        assertThat(partition.highWatermark()).isEqualTo(10);
        BatchView batch =
                partition.loadBatch(0, Runnable::run).toCompletableFuture().get(10, TimeUnit.SECONDS);
        RecordView record = new RecordView();
        batch.recordAt(0, record);
        assertThat(record.keyBytes()).isEqualTo("temp".getBytes(UTF_8));
        assertThat(record.valueSlice().toString(UTF_8)).isEqualTo("t0");
        assertThat(record.findHeader(MessageHeaders.EXCHANGE)).isTrue();
        assertThat(record.findHeader(MessageHeaders.ROUTING)).isFalse();
        batch.release();
        BlockingQueue<Delivery> deliveries = consume(channel, queue, true);
        for (int i = 0; i < 10; i++) {
            assertThat(next(deliveries).getBody()).isEqualTo(("t" + i).getBytes(UTF_8));
        }
        channel.queueUnbind("telemetry", "readings", "temp");
        channel.basicPublish("readings", "temp", MessageProperties.PERSISTENT_TEXT_PLAIN, "x".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
        assertThat(partition.highWatermark()).isEqualTo(10);
        channel.queueDelete("telemetry");
        await().until(() -> broker.host().table().stream("telemetry") == null);
    }

    @Test
    void retainHeaderSetsTheRetainedMessageOfATopic() throws Exception {
        AMQP.BasicProperties retain = new AMQP.BasicProperties.Builder()
                .headers(Map.of("x-retain", true))
                .deliveryMode(2)
                .build();
        channel.basicPublish("amq.topic", "room.4.light", retain, "on".getBytes(UTF_8));
        channel.waitForConfirmsOrDie(10_000);
        await().until(() -> broker.host().retained().size() == 1);
        channel.basicPublish("amq.topic", "room.4.light", retain, new byte[0]);
        channel.waitForConfirmsOrDie(10_000);
        await().until(() -> broker.host().retained().size() == 0);
    }
}
