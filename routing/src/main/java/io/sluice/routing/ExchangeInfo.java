package io.sluice.routing;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An exchange.
 *
 * @param name name; empty = the default exchange
 * @param internal clients may not publish to it
 * @param arguments declaration arguments as text
 */
public record ExchangeInfo(
        String name, Type type, boolean durable, boolean autoDelete, boolean internal, Map<String, String> arguments) {
    /** Argument: the exchange that messages go to which find no destination here. */
    public static final String ALTERNATE = "alternate-exchange";

    /** Argument of exchanges of type {@value #DELAYED}: the type by whose rules they route. */
    public static final String DELAYED_TYPE = "x-delayed-type";

    /** Type name of exchanges that were declared as delaying; any exchange delays what asks for it. */
    public static final String DELAYED = "x-delayed-message";

    /** Routing rules (AMQP 0-9-1, section 3.1.3; RabbitMQ's plugins for the last two). Stored by position. */
    public enum Type {
        DIRECT("direct"),
        FANOUT("fanout"),
        TOPIC("topic"),
        HEADERS("headers"),
        CONSISTENT_HASH("x-consistent-hash"),
        RANDOM("x-random");

        private final String text;

        Type(String text) {
            this.text = text;
        }

        /** Its name on the wire. */
        public String text() {
            return text;
        }

        /** The type of this name, null if there is none. */
        public static @Nullable Type of(String text) {
            for (Type type : values()) {
                if (type.text.equals(text)) {
                    return type;
                }
            }
            return null;
        }
    }

    /** The type as it was declared. */
    public String declaredType() {
        return arguments.containsKey(DELAYED_TYPE) ? DELAYED : type.text();
    }

    /** The exchange for what finds no destination here, null if there is none. */
    public @Nullable String alternate() {
        return arguments.get(ALTERNATE);
    }
}
