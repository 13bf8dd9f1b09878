package io.sluice.server;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;

/**
 * A protocol behind a port.
 *
 * @param name as in log lines: {@code MQTT}, {@code AMQP}, {@code Kafka}, {@code management}
 * @param setting key of its port
 * @param port TCP port, 0 for a free one
 * @param initializer sets up an accepted connection
 */
record Door(String name, String setting, int port, ChannelInitializer<? extends Channel> initializer) {}
