package io.sluice.amqp091.transaction;

import io.netty.buffer.ByteBuf;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.convert.AmqpDirectMessage;
import io.sluice.amqp091.session.Session;
import io.sluice.log.LogException;
import io.sluice.queue.Settlement;
import io.sluice.routing.Route;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.Transaction;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * What a transactional channel has published and settled since the last commit (AMQP 0-9-1, section 1.9, as RabbitMQ takes it: routes
 * are those at the time of the publish, messages without one come back at the commit). Unlike RabbitMQ's, the whole takes effect or
 * nothing of it, also over a crash. Confined to the loop.
 */
public final class ChannelTransaction {
    /** Messages and settlements of one transaction. */
    static final int MAX_PARTS = 65_536;
    /** Bytes of one transaction, in messages of the largest size. */
    private static final int LARGEST_MESSAGES = 2;

    private static final int SIZE_HINT = 4 * 1024;

    private final Session connection;
    private final long maxBytes;
    private final List<Settled> settled = new ArrayList<>();
    private final List<Direct> direct = new ArrayList<>();
    private @Nullable PublishBatch batch;
    private @Nullable Completion completion;
    private @Nullable ByteBuf returns;
    private int messages;
    private int directBytes;
    private int bytes;

    /** A delivery that the client has settled. */
    public record Settled(long tag, Settler consumer, long deliveryId, Settlement how) {}

    private record Direct(AmqpDirectMessage message, Route route) {}

    private static final class Completion implements PublishBatch.Completion {
        private final Executor executor;
        private final CompletableFuture<@Nullable Void> done = new CompletableFuture<>();

        Completion(Executor executor) {
            this.executor = executor;
        }

        @Override
        public Executor executor() {
            return executor;
        }

        @Override
        public void completed(PublishBatch of, @Nullable LogException error) {
            if (error == null) {
                done.complete(null);
            } else {
                done.completeExceptionally(error);
            }
        }
    }

    public ChannelTransaction(Session connection) {
        this.connection = connection;
        maxBytes = (long) LARGEST_MESSAGES * connection.shared().settings().maxMessageBytes();
    }

    /** Where the next message is encoded. */
    public PublishBatch batch() {
        PublishBatch current = batch;
        if (current == null) {
            Completion told = new Completion(connection.executor());
            current = new PublishBatch(connection.caller(), told, connection.allocator(), SIZE_HINT);
            completion = told;
            batch = current;
        }
        return current;
    }

    /** Where messages without a route are encoded as they will be returned. */
    public ByteBuf returns() {
        ByteBuf frames = returns;
        if (frames == null) {
            frames = connection.allocator().buffer(SIZE_HINT);
            returns = frames;
        }
        return frames;
    }

    /** A message for subscribers that get it without the log. */
    public void direct(AmqpDirectMessage message, Route route) {
        message.retain();
        direct.add(new Direct(message, route));
        directBytes += message.sizeInBytes();
    }

    /**
     * A message was added, in whatever way.
     *
     * @throws AmqpException PRECONDITION_FAILED if it was one too many
     */
    public void added() {
        messages++;
        checkParts();
        int now = (batch == null ? 0 : batch.sizeInBytes())
                + (returns == null ? 0 : returns.readableBytes())
                + directBytes;
        connection.transactions().take(now - bytes);
        bytes = now;
        if (bytes > maxBytes) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED, "messages of the transaction exceed " + maxBytes + " bytes");
        }
    }

    /** A delivery is settled with the transaction. */
    public void settle(long tag, Settler consumer, long deliveryId, Settlement how) {
        settled.add(new Settled(tag, consumer, deliveryId, how));
    }

    /** Fails if the transaction has too many parts. */
    public void checkParts() {
        if (messages + settled.size() > MAX_PARTS) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "the transaction exceeds " + MAX_PARTS + " messages and acknowledgements");
        }
    }

    /** Deliveries settled so far, which count as unsettled until the commit. */
    public List<Settled> settled() {
        return settled;
    }

    /** Hands all to the shard. The stage completes on the loop when it is durable, or nothing of it has happened. */
    public CompletableFuture<@Nullable Void> commit() {
        connection.shared().received().add(messages);
        PublishBatch publishes = batch();
        Completion told = completion;
        if (told == null) {
            throw new IllegalStateException("batch without completion");
        }
        Transaction transaction = new Transaction(publishes);
        for (Settled one : settled) {
            one.consumer().settle(transaction, one.deliveryId(), one.how());
        }
        batch = null;
        completion = null;
        connection.shared().broker().shard().commit(transaction);
        return told.done;
    }

    /** All is in force: what only now may be known leaves. */
    public void committed() {
        ByteBuf frames = returns;
        if (frames != null) {
            connection.output().buffer().writeBytes(frames);
            connection.output().wrote();
        }
        for (Direct one : direct) {
            connection.direct().add(one.message(), one.route());
        }
        connection.direct().flush();
        for (Settled one : settled) {
            one.consumer().settledByTransaction();
        }
        clear();
    }

    /** Forgets everything. */
    public void clear() {
        if (batch != null) {
            batch.releaseBuffer();
            batch = null;
            completion = null;
        }
        if (returns != null) {
            returns.release();
            returns = null;
        }
        direct.forEach(one -> one.message().release());
        direct.clear();
        settled.clear();
        connection.transactions().giveBack(bytes);
        bytes = 0;
        directBytes = 0;
        messages = 0;
    }
}
