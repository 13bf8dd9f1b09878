package io.sluice.amqp091.entity;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.session.Refusals;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Values of the arguments of one method on one queue, refused with 406 in RabbitMQ's words where they are not what they must be.
 * Immutable.
 */
public final class ArgumentChecks {
    /** Longest time that an expiry may be, ten years in ms, as RabbitMQ has it. */
    static final long MAX_EXPIRY = 315_360_000_000L;

    /** How long a delivery may stay unacknowledged, of queues and consumers, ms. */
    public static final String CONSUMER_TIMEOUT = "x-consumer-timeout";

    private final String vhost;
    private final String queue;
    private final Map<String, @Nullable Object> arguments;

    public ArgumentChecks(String vhost, String queue, Map<String, @Nullable Object> arguments) {
        this.vhost = vhost;
        this.queue = queue;
        this.arguments = arguments;
    }

    public AmqpException invalid(String name, String why) {
        return new AmqpException(
                ReplyCode.PRECONDITION_FAILED,
                "invalid arg '" + name + "' for " + Refusals.named(queue, vhost) + ": " + why);
    }

    /** The argument is for queues of another type. */
    public AmqpException notOfType(String name, String type) {
        return new AmqpException(
                ReplyCode.PRECONDITION_FAILED,
                "invalid arg '" + name + "' for " + Refusals.named(queue, vhost) + " of queue type " + type);
    }

    public boolean has(String name) {
        return arguments.containsKey(name);
    }

    /** An argument that must be text; null if it is not there. */
    @Nullable
    public String text(String name) {
        if (!arguments.containsKey(name)) {
            return null;
        }
        if (arguments.get(name) instanceof String text) {
            return text;
        }
        throw invalid(name, "{unacceptable_type," + type(arguments.get(name)) + '}');
    }

    /** An argument that must be the name of an exchange; null if it is not there. */
    @Nullable
    String exchange(String name) {
        Object value = arguments.get(name);
        if (arguments.containsKey(name) && !(value instanceof String)) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "invalid type '" + type(value) + "' for arg '" + name + "' in " + Refusals.named(queue, vhost));
        }
        return (String) value;
    }

    /** An argument that must be one of these words. */
    @Nullable
    public String oneOf(String name, List<String> words, String refusal) {
        String word = text(name);
        if (word != null && !words.contains(word)) {
            throw invalid(name, refusal);
        }
        return word;
    }

    public boolean flag(String name) {
        if (!arguments.containsKey(name)) {
            return false;
        }
        if (arguments.get(name) instanceof Boolean flag) {
            return flag;
        }
        throw invalid(name, "{unacceptable_type," + type(arguments.get(name)) + '}');
    }

    public long number(String name, long absent) {
        if (!arguments.containsKey(name)) {
            return absent;
        }
        Object value = arguments.get(name);
        if (value instanceof Byte || value instanceof Short || value instanceof Integer || value instanceof Long) {
            return ((Number) value).longValue();
        }
        throw invalid(name, "\"expected integer, got " + type(value) + '"');
    }

    /** A number from 0 on; {@code absent} if it is not there. */
    public long notNegative(String name, long absent) {
        long number = number(name, absent);
        if (number < 0 && arguments.containsKey(name)) {
            throw invalid(name, "{value_negative," + number + '}');
        }
        return number;
    }

    /** A time in ms that something may take to expire; {@code absent} if it is not there. */
    public long expiry(String name, long absent) {
        long millis = notNegative(name, absent);
        if (millis > MAX_EXPIRY) {
            throw invalid(name, "{value_too_large," + millis + '}');
        }
        return millis;
    }

    /** RabbitMQ's name of a field's type. */
    static String type(@Nullable Object value) {
        if (value == null) {
            return "void";
        } else if (value instanceof String) {
            return "longstr";
        } else if (value instanceof Boolean) {
            return "bool";
        } else if (value instanceof Byte) {
            return "byte";
        } else if (value instanceof Short) {
            return "short";
        } else if (value instanceof Integer) {
            return "signedint";
        } else if (value instanceof Long) {
            return "long";
        } else if (value instanceof Float) {
            return "float";
        } else if (value instanceof Double) {
            return "double";
        } else if (value instanceof BigDecimal) {
            return "decimal";
        } else if (value instanceof Instant) {
            return "timestamp";
        } else if (value instanceof Map) {
            return "table";
        } else if (value instanceof List) {
            return "array";
        }
        return "binary";
    }
}
