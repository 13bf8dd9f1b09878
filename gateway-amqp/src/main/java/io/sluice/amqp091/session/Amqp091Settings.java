package io.sluice.amqp091.session;

import io.sluice.log.Durability;
import org.jspecify.annotations.Nullable;

/**
 * Limits of AMQP 0-9-1 connections.
 *
 * @param channelMax channels per connection, 1 to 65535
 * @param frameMax largest frame after tuning, bytes, at least 4096
 * @param handshakeFrameMax largest frame before a client is authenticated, bytes
 * @param heartbeatSeconds heartbeat interval offered, 0 = none
 * @param handshakeSeconds time in which a client must have opened a virtual host
 * @param maxMessageBytes largest message body, bytes
 * @param consumerTimeoutMillis time in which a delivery must be acknowledged unless its queue says otherwise, ms, 0 = any time
 * @param durability level of persistent messages, null = GROUP where the publisher waits for a confirm, else OS
 */
public record Amqp091Settings(
        int channelMax,
        int frameMax,
        int handshakeFrameMax,
        int heartbeatSeconds,
        int handshakeSeconds,
        int maxMessageBytes,
        long consumerTimeoutMillis,
        @Nullable Durability durability) {
    /** 2047 channels, 128 KiB frames, heartbeat of 60 s, 10 s for the handshake, messages of 16 MiB, 30 min for acknowledgements. */
    public static final Amqp091Settings DEFAULT =
            new Amqp091Settings(2047, 131_072, 8192, 60, 10, 16 << 20, 1_800_000, null);

    public Amqp091Settings {
        if (channelMax < 1 || channelMax > 65_535 || frameMax < 4096 || handshakeFrameMax < 4096) {
            throw new IllegalArgumentException("AMQP limits out of range: channel-max " + channelMax + ", frame-max "
                    + frameMax + ", handshake frame-max " + handshakeFrameMax);
        }
    }
}
