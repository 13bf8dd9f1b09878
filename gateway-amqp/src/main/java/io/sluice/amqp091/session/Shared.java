package io.sluice.amqp091.session;

import io.sluice.access.Authenticator;
import io.sluice.routing.Broker;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * What all connections of a gateway share.
 *
 * @param bodyBytes bytes of bodies that all connections have received in part, and of their open transactions
 * @param received messages published
 * @param sent messages delivered
 */
public record Shared(
        Broker broker,
        Authenticator authenticator,
        Amqp091Settings settings,
        ExclusiveQueues exclusiveQueues,
        DirectReplies directReplies,
        AtomicLong bodyBytes,
        LongAdder received,
        LongAdder sent,
        String version) {
    /** Most that unfinished messages and open transactions may take, over all connections, bytes: a quarter of what the JVM may take. */
    private static final long ALL_BODIES = Runtime.getRuntime().maxMemory() / 4;

    /** Either of one connection, in messages of the largest size. */
    private static final int LARGEST_BODIES = 4;

    public BodyBudget newBodyBudget() {
        return newBudget("unfinished messages");
    }

    public BodyBudget newTransactionBudget() {
        return newBudget("open transactions");
    }

    private BodyBudget newBudget(String what) {
        return new BodyBudget(what, bodyBytes, ALL_BODIES, (long) LARGEST_BODIES * settings.maxMessageBytes());
    }
}
