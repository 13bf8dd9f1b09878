package io.sluice.server;

import io.sluice.access.Authenticator;
import io.sluice.amqp.AmqpGateway;
import io.sluice.amqp.AmqpSettings;
import io.sluice.amqp091.connection.Amqp091Settings;
import io.sluice.kafka.NativeGateway;
import io.sluice.kafka.NativeSettings;
import io.sluice.log.Durability;
import io.sluice.mqtt.MqttGateway;
import io.sluice.mqtt.MqttSettings;
import io.sluice.routing.Broker;
import io.sluice.server.config.SluiceConfig;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** Makes and starts the three gateways with their part of the configuration. */
final class Doors {
    private Doors() {}

    /** Starts every gateway; {@code opened} is told how to close each. */
    static List<Door> start(
            Broker broker, Authenticator authenticator, SluiceConfig config, BiConsumer<String, AutoCloseable> opened) {
        MqttGateway mqtt = new MqttGateway(broker, authenticator, mqtt(config));
        opened.accept("MQTT door", mqtt::close);
        mqtt.start();
        AmqpGateway amqp = new AmqpGateway(broker, authenticator, amqp(config));
        opened.accept("AMQP door", amqp::close);
        amqp.start();
        NativeGateway kafka = new NativeGateway(broker, authenticator, kafka(config));
        opened.accept("native door", kafka);
        kafka.start();
        return List.of(
                new Door("MQTT", "mqtt.port", config.mqtt().port(), mqtt.initializer()),
                new Door("AMQP", "amqp.port", config.amqp().port(), amqp.initializer()),
                new Door("Kafka", "native.port", config.kafka().port(), kafka.initializer()));
    }

    private static MqttSettings mqtt(SluiceConfig config) {
        MqttSettings settings =
                MqttSettings.DEFAULT.withMaxPacketBytes(config.mqtt().maxPacketBytes());
        return config.durability() == null ? settings : settings.withDurability(config.durability());
    }

    private static AmqpSettings amqp(SluiceConfig config) {
        AmqpSettings base = AmqpSettings.DEFAULT;
        Amqp091Settings limits = base.amqp091();
        return new AmqpSettings(
                base.headerSeconds(),
                new Amqp091Settings(
                        limits.channelMax(),
                        limits.frameMax(),
                        limits.handshakeFrameMax(),
                        limits.heartbeatSeconds(),
                        limits.handshakeSeconds(),
                        config.amqp().maxMessageBytes(),
                        config.durability()));
    }

    private static NativeSettings kafka(SluiceConfig config) {
        NativeSettings base = NativeSettings.DEFAULT;
        Durability durability = config.durability();
        return new NativeSettings(
                advertised(config.kafka()),
                config.kafka().maxRequestBytes(),
                base.requestMemoryBytes(),
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
