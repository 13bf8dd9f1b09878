package io.sluice.routing;

import java.util.Map;

/**
 * An exchange.
 *
 * @param name name; empty = the default exchange
 * @param internal clients may not publish to it
 * @param arguments declaration arguments as text
 */
public record ExchangeInfo(
        String name, Type type, boolean durable, boolean autoDelete, boolean internal, Map<String, String> arguments) {
    /** Routing rules (AMQP 0-9-1, section 3.1.3). */
    public enum Type {
        DIRECT,
        FANOUT,
        TOPIC,
        HEADERS
    }
}
