package io.sluice.routing;

import io.sluice.queue.QueuePolicy;
import java.util.Map;

/**
 * What a client asked for when it declared a queue.
 *
 * @param name name; the adapter makes up server-chosen ones
 * @param exclusive deleted by the adapter with its connection; never durable
 * @param autoDelete deleted when the last consumer leaves
 * @param arguments declaration arguments as text, for equality checks and listings
 */
public record QueueDeclaration(
        String name,
        boolean durable,
        boolean exclusive,
        boolean autoDelete,
        QueuePolicy policy,
        Map<String, String> arguments) {}
