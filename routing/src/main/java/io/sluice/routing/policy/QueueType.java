package io.sluice.routing.policy;

import java.util.Map;

/** Types of queues as AMQP clients know them; not every policy is for each of them. */
public enum QueueType {
    CLASSIC,
    QUORUM,
    STREAM;

    /** The type that a declaration with these arguments asks for. */
    public static QueueType of(Map<String, String> arguments) {
        return switch (arguments.getOrDefault("x-queue-type", "classic")) {
            case "quorum" -> QUORUM;
            case "stream" -> STREAM;
            default -> CLASSIC;
        };
    }
}
