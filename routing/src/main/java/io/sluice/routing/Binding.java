package io.sluice.routing;

import java.util.Map;

/**
 * Messages of {@code source} also go to {@code destination} where {@code key} matches. Sources are exchanges and streams.
 *
 * @param key routing key or pattern in AMQP form; for an MQTT route the translated filter; ignored by fanout and by streams
 * @param arguments binding arguments as text
 * @param origin who made it
 */
public record Binding(End source, End destination, String key, Map<String, String> arguments, Origin origin) {
    /** An end of a binding. */
    public record End(Kind kind, String name) {}

    /** Sorts of ends. */
    public enum Kind {
        EXCHANGE,
        QUEUE,
        STREAM
    }

    /** Who made a binding; those of the configuration file cannot be removed over the API. */
    public enum Origin {
        CLIENT,
        API,
        CONFIG
    }
}
