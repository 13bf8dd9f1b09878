package io.sluice.amqp091.session;

import io.netty.buffer.ByteBufAllocator;
import io.netty.util.concurrent.EventExecutor;
import io.sluice.access.Caller;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.VirtualHost;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What the parts of a channel see of their connection, once a virtual host is open. Confined to its loop. */
public interface Session {
    /** The event loop. */
    EventExecutor executor();

    ByteBufAllocator allocator();

    Output output();

    Shared shared();

    /** Who has logged in, with the permissions of now. */
    Caller caller();

    VirtualHost host();

    /** Largest frame to the client, bytes. */
    int frameMax();

    /** Bytes of messages that have come in part. */
    BodyBudget bodies();

    /** Bytes of open transactions. */
    BodyBudget transactions();

    /** Messages of this read for subscribers that get them without the log. */
    DirectDispatch direct();

    /** Queues to delete with this connection. */
    Set<String> exclusiveQueues();

    /** True if the client has announced this capability. */
    boolean clientCan(String capability);

    /** True if a channel has a consumer or open deliveries. */
    boolean hasConsumers();

    /**
     * Goes on with {@code then} on this loop; until it has run, nothing more of the channel takes effect (0: of the connection).
     * Failures close the channel (0: the connection).
     */
    <T extends @Nullable Object> void await(int channel, int method, CompletionStage<T> stage, Consumer<T> then);

    /** Publishes and settlements so far go to the shard. */
    void handOver();

    /** Ends the channel or the connection, depending on the error. */
    void fail(int channel, int method, Throwable failure);

    /** Closes the socket without a word to the peer. */
    void abort(String why);

    /** Stops or resumes decoding and reading. */
    void updateReading();

    /** No publish waits for the shard any more. */
    void publishesHandedOver();

    /** A direct reply found too much waiting for this client. */
    void replyDropped();
}
