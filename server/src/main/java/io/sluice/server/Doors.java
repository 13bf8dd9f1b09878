package io.sluice.server;

import io.sluice.access.Authenticator;
import io.sluice.amqp.AmqpGateway;
import io.sluice.amqp.AmqpSettings;
import io.sluice.amqp091.session.Amqp091Settings;
import io.sluice.kafka.NativeGateway;
import io.sluice.kafka.NativeSettings;
import io.sluice.log.Durability;
import io.sluice.mqtt.MqttGateway;
import io.sluice.routing.Broker;
import io.sluice.server.config.SluiceConfig;
import io.sluice.server.management.rabbit.RabbitApi;
import io.sluice.server.metrics.BrokerMetrics;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** Makes and starts the three gateways with their part of the configuration. */
final class Doors {
    private static final String MQTT = "MQTT";
    private static final String MQTT_PORT = "mqtt.port";
    private static final String AMQP = "AMQP";
    private static final String AMQP_PORT = "amqp.port";
    private static final String KAFKA = "Kafka";
    private static final String KAFKA_PORT = "native.port";

    private final List<Door> list;
    private final RabbitApi.Gateways gateways;

    private Doors(List<Door> list, RabbitApi.Gateways gateways) {
        this.list = list;
        this.gateways = gateways;
    }

    /** What listens where. */
    List<Door> list() {
        return list;
    }

    RabbitApi.Gateways gateways() {
        return gateways;
    }

    /**
     * Checks that the ports of the doors are free.
     *
     * @throws StartException if one is not
     */
    static void check(SluiceConfig config) {
        Listeners.check(MQTT, MQTT_PORT, config.mqtt().port(), config.bind());
        Listeners.check(AMQP, AMQP_PORT, config.amqp().port(), config.bind());
        Listeners.check(KAFKA, KAFKA_PORT, config.kafka().port(), config.bind());
    }

    /** Starts every gateway; {@code opened} is told how to close each. */
    static Doors start(
            Broker broker,
            Authenticator authenticator,
            SluiceConfig config,
            BrokerMetrics metrics,
            BiConsumer<String, AutoCloseable> opened) {
        MqttGateway mqtt = new MqttGateway(broker, authenticator, config.mqtt().settings());
        opened.accept("MQTT door", mqtt::close);
        mqtt.start();
        AmqpGateway amqp = new AmqpGateway(broker, authenticator, amqp(config));
        opened.accept("AMQP door", amqp::close);
        amqp.start();
        NativeGateway kafka = new NativeGateway(broker, authenticator, kafka(config));
        opened.accept("native door", kafka);
        kafka.start();
        count(metrics, mqtt, amqp, kafka);
        return new Doors(
                List.of(
                        new Door(MQTT, MQTT_PORT, config.mqtt().port(), mqtt.initializer()),
                        new Door(AMQP, AMQP_PORT, config.amqp().port(), amqp.initializer()),
                        new Door(KAFKA, KAFKA_PORT, config.kafka().port(), kafka.initializer())),
                new RabbitApi.Gateways(amqp, mqtt, kafka));
    }

    private static void count(BrokerMetrics metrics, MqttGateway mqtt, AmqpGateway amqp, NativeGateway kafka) {
        String received = "Messages that clients published";
        metrics.counter("sluice.messages.received", received, "mqtt", mqtt, MqttGateway::received);
        metrics.counter("sluice.messages.received", received, "amqp", amqp, AmqpGateway::received);
        metrics.counter("sluice.messages.received", received, "kafka", kafka, NativeGateway::received);
        String sent = "Messages sent to consumers and subscribers";
        metrics.counter("sluice.messages.sent", sent, "mqtt", mqtt, MqttGateway::delivered);
        metrics.counter("sluice.messages.sent", sent, "amqp", amqp, AmqpGateway::sent);
        metrics.counter(
                "sluice.messages.dropped",
                "Messages not sent: subscriber too slow, expired, too large for it, or its queue full",
                "mqtt",
                mqtt,
                MqttGateway::dropped);
        metrics.gauge(
                "sluice.mqtt.sessions",
                "MQTT sessions that outlive their connection",
                mqtt,
                MqttGateway::durableSessions);
        metrics.bytes("sluice.mqtt.pending", "Bytes that wait for slow subscribers", mqtt, MqttGateway::pendingBytes);
    }

    private static AmqpSettings amqp(SluiceConfig config) {
        Amqp091Settings limits = AmqpSettings.DEFAULT.amqp091();
        return new AmqpSettings(
                config.connectSeconds(),
                new Amqp091Settings(
                        limits.channelMax(),
                        limits.frameMax(),
                        limits.handshakeFrameMax(),
                        limits.heartbeatSeconds(),
                        config.connectSeconds(),
                        config.amqp().maxMessageBytes(),
                        config.amqp().consumerTimeoutMillis(),
                        config.durability()));
    }

    private static NativeSettings kafka(SluiceConfig config) {
        NativeSettings base = NativeSettings.DEFAULT;
        Durability durability = config.durability();
        return new NativeSettings(
                advertised(config.kafka()),
                config.kafka().maxRequestBytes(),
                base.requestMemoryBytes(),
                config.connectSeconds() * 1_000L,
                base.idleMillis(),
                base.maxInFlight(),
                base.autoCreateTopics(),
                base.defaultPartitions(),
                durability == null ? base.durabilityAll() : durability,
                durability == null ? base.durabilityFew() : durability,
                base.maxFetchBytes(),
                base.maxFetchSessions(),
                base.rebalanceDelayMillis(),
                base.offsetsRetentionMillis());
    }

    private static @Nullable String advertised(SluiceConfig.Native kafka) {
        SluiceConfig.Advertised address = kafka.advertised();
        if (address == null) {
            return null;
        }
        String host = address.host().contains(":") ? "[" + address.host() + "]" : address.host();
        return host + ":" + (address.port() == 0 ? kafka.port() : address.port());
    }
}
