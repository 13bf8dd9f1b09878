package io.sluice.routing.catalog;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.message.RecordFields;
import io.sluice.queue.Queues;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs changes one after the other on the shard thread, each on the state that the one before leaves; whatever has come in
 * meanwhile is one transaction: one append to {@code __catalog}, then one new table per virtual host, then the answers. While
 * an append is on its way the next changes wait, so nothing unsaved is ever visible. Changes without durable records need no
 * append and are visible at once.
 *
 * <p>If the append is refused, the transaction's changes fail with UNAVAILABLE and its steps outside the catalog are undone.
 */
final class Catalog {
    private static final Logger LOG = LoggerFactory.getLogger(Catalog.class);
    private static final int MAX_CHANGES = 4_096;
    private static final long ID_BLOCK = 1_024;
    private static final TargetSet TARGET =
            new TargetSet(List.of(), List.of(new StreamTarget(InternalStreams.id(InternalStreams.CATALOG), 1)));

    /** A change: validates against the transaction, then puts records into it. Runs on the shard thread. */
    @FunctionalInterface
    interface Change<T> {
        /** Completes (any thread) when all records are put; then the transaction may be committed. */
        CompletionStage<T> run(Transaction tx);
    }

    private record Pending<T>(Change<T> change, CompletableFuture<T> answer) {}

    private record Done<T>(CompletableFuture<T> answer, T value) {
        void complete() {
            answer.complete(value);
        }
    }

    final LogEngine engine;
    final ShardProxy shard;
    final Queues queues;
    final Clock clock;
    private final Map<String, HostTable> tables = new ConcurrentHashMap<>();
    private final Consumer<HostTable> published;
    private final Consumer<String> gone;

    // Shard thread only.
    private final Deque<Pending<?>> pending = new ArrayDeque<>();
    private final List<Done<?>> done = new ArrayList<>();
    private Transaction transaction;
    private boolean busy;
    private boolean draining;
    private boolean closed;
    private long nextId = 1;
    private long idLimit = 1;

    /**
     * Creates the catalog.
     *
     * @param published told on the shard thread about every new table
     * @param gone told on the shard thread about every virtual host that is deleted
     */
    Catalog(
            LogEngine engine,
            ShardProxy shard,
            Queues queues,
            Clock clock,
            Consumer<HostTable> published,
            Consumer<String> gone) {
        this.engine = engine;
        this.shard = shard;
        this.queues = queues;
        this.clock = clock;
        this.published = published;
        this.gone = gone;
        this.transaction = newTransaction();
    }

    /** Table of a virtual host, null if there is none. Any thread. */
    @Nullable
    HostTable table(String vhost) {
        return tables.get(vhost);
    }

    /** Queues a change; the answer completes on the shard thread once it is durable and visible. Any thread. */
    <T> CompletionStage<T> submit(Change<T> change) {
        Pending<T> entry = new Pending<>(change, new CompletableFuture<>());
        shard.execute(() -> {
            if (closed) {
                entry.answer.completeExceptionally(
                        new RoutingException(Reason.UNAVAILABLE, "the broker is shutting down"));
                return;
            }
            pending.add(entry);
            drain();
        });
        return entry.answer;
    }

    /** Refuses every later change. Any thread. */
    CompletionStage<Void> close() {
        CompletableFuture<Void> refused = new CompletableFuture<>();
        shard.execute(() -> {
            closed = true;
            refused.complete(null);
        });
        return refused;
    }

    /** Takes over what replay found; before traffic. */
    void restore(Map<String, HostEdit> hosts, long ids) {
        nextId = ids;
        idLimit = ids;
        Map<String, HostTable> restored = new HashMap<>();
        hosts.forEach((vhost, edit) -> restored.put(vhost, edit.freeze()));
        tables.putAll(restored);
    }

    private void drain() {
        if (draining) {
            return;
        }
        draining = true;
        try {
            while (!busy) {
                Pending<?> next = done.size() >= MAX_CHANGES ? null : pending.poll();
                if (next != null) {
                    start(next);
                } else if (!done.isEmpty()) {
                    commit();
                } else {
                    return;
                }
            }
        } finally {
            draining = false;
        }
    }

    private <T> void start(Pending<T> entry) {
        transaction.save();
        CompletableFuture<T> result;
        try {
            result = entry.change.run(transaction).toCompletableFuture();
        } catch (RuntimeException e) {
            refuse(entry.answer, e);
            return;
        }
        if (result.isDone()) {
            finish(entry.answer, result);
            return;
        }
        busy = true;
        result.whenComplete((value, error) -> shard.execute(() -> {
            busy = false;
            finish(entry.answer, result);
            drain();
        }));
    }

    private <T> void finish(CompletableFuture<T> answer, CompletableFuture<T> result) {
        try {
            done.add(new Done<>(answer, result.join()));
        } catch (CompletionException e) {
            refuse(answer, e.getCause() == null ? e : e.getCause());
        }
    }

    private void refuse(CompletableFuture<?> answer, Throwable error) {
        transaction.rollback();
        answer.completeExceptionally(refusal(error));
    }

    private void commit() {
        List<Transaction.Entry> entries = transaction.entries();
        if (entries.isEmpty()) {
            publish();
            return;
        }
        busy = true;
        Append append = new Append();
        PublishBatch batch =
                new PublishBatch(Caller.broker("/"), append, PooledByteBufAllocator.DEFAULT, 128 * entries.size());
        long now = clock.epochMillis();
        for (Transaction.Entry entry : entries) {
            batch.begin();
            ByteBuf out = batch.buffer();
            RecordFields.writeBytes(out, entry.key());
            RecordFields.writeBytes(out, entry.value());
            batch.headers();
            batch.end(0, TARGET, 0, now, Durability.GROUP, 0);
        }
        offer(batch);
    }

    private void offer(PublishBatch batch) {
        if (!shard.submit(batch)) {
            shard.onReady(shard, () -> offer(batch));
        }
    }

    @SuppressWarnings("ReferenceEquality") // an unchanged part of a table is the same object
    private void publish() {
        List<HostTable> changed = new ArrayList<>();
        Set<String> removed = Set.copyOf(transaction.removed());
        transaction.edits().forEach((vhost, edit) -> {
            if (removed.contains(vhost)) {
                return;
            }
            HostTable table = edit.freeze();
            HostTable before = tables.get(vhost);
            if (before != null && before.policies != table.policies) {
                // routes ask their queues what they refuse
                PolicyChanges.apply(table, queues);
            }
            tables.put(vhost, table);
            changed.add(table);
        });
        transaction = newTransaction();
        removed.forEach(tables::remove);
        changed.forEach(published);
        removed.forEach(gone);
        List<Done<?>> answered = List.copyOf(done);
        done.clear();
        answered.forEach(Done::complete);
    }

    private void abort(LogException error) {
        LOG.warn("catalog change refused: {}", error.getMessage());
        transaction.abort();
        transaction = newTransaction();
        idLimit = nextId; // the reservation may have been part of it
        RoutingException refusal = refusal(error);
        List<Done<?>> answered = List.copyOf(done);
        done.clear();
        answered.forEach(entry -> entry.answer().completeExceptionally(refusal));
    }

    private Transaction newTransaction() {
        return new Transaction(
                vhost -> {
                    HostTable table = tables.get(vhost);
                    return table == null ? null : new HostEdit(table, queues);
                },
                this::takeId);
    }

    /** Numbers are reserved in blocks by a record of the transaction that first uses one, and never given twice. */
    private long takeId() {
        if (nextId >= idLimit) {
            idLimit = nextId + ID_BLOCK;
            transaction.reserve(idLimit);
        }
        return nextId++;
    }

    private static RoutingException refusal(Throwable error) {
        if (error instanceof RoutingException refusal) {
            return refusal;
        }
        if (error instanceof CompletionException && error.getCause() != null) {
            return refusal(error.getCause());
        }
        if (!(error instanceof LogException)) {
            LOG.error("catalog change failed", error);
        }
        return new RoutingException(Reason.UNAVAILABLE, "not stored: " + error.getMessage());
    }

    private final class Append implements PublishBatch.Completion {
        @Override
        public Executor executor() {
            return shard;
        }

        @Override
        public void completed(PublishBatch batch, @Nullable LogException error) {
            busy = false;
            if (error == null) {
                publish();
            } else {
                abort(error);
            }
            drain();
        }
    }
}
