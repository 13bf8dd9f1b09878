package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.queue.Reference;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import java.util.ArrayList;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is committed together: open batches per partition, and in publish order the messages that queues will refer to.
 * Reused. Shard thread.
 */
final class Pass {
    private static final Logger LOG = LoggerFactory.getLogger(Pass.class);

    final ArrayList<PublishBatch> publishes = new ArrayList<>();
    final ArrayList<Produce> produces = new ArrayList<>();
    final ArrayList<Follower> followers = new ArrayList<>();
    /** How many of them ran. */
    int followed;

    final ArrayList<JournalEntry> journals = new ArrayList<>();
    /** Batches that reached their size, in order; the open ones of the same partitions follow them. */
    final ArrayList<OpenBatch> full = new ArrayList<>();

    final @Nullable OpenBatch[] home;
    final ArrayList<StreamBatch> streams = new ArrayList<>();
    final ArrayList<StagedTransaction> transactions = new ArrayList<>(0);
    /** What messages of the pass take the place of. */
    final ArrayList<DyingMessages.Dying> replaced = new ArrayList<>(0);
    /** Journal records of the settlements of transactions, and of what is replaced. */
    @Nullable
    OpenBatch settlements;

    @Nullable
    OpenBatch state;

    @Nullable
    MemoryBatch memory;

    /** Why none of the pass's publishes is stored; null if all are. */
    @Nullable
    LogException error;

    /** Why the journal entries of the pass are not written. */
    @Nullable
    LogException journalError;

    /** A queue was created in it. */
    boolean creates;

    long number;
    long bytes;
    long publishBytes;

    // messages for queues, in publish order; a null source = the memory batch
    int messages;

    @Nullable
    TargetSet[] targets = new TargetSet[64];

    @Nullable
    OpenBatch[] sources = new OpenBatch[64];

    int[] records = new int[64];
    long[] states = new long[64];
    long[] expiries = new long[64];
    long[] arrivals = new long[64];
    /** Messages that a queue may refuse, in order. */
    final ArrayList<Refusable> refusables = new ArrayList<>(0);

    /**
     * The {@code message}-th message of the pass is the {@code index}-th of its publish.
     *
     * @param whole true if no queue may refuse it, as part of a transaction
     */
    record Refusable(int message, PublishBatch publish, int index, boolean whole) {}

    /** Batches of a Kafka client and, once the pass is sealed, what became of them. */
    static final class Produce {
        final ShardProxy.ProduceCompletion completion;
        final LogPartition partition;
        final ByteBuf batches;
        final Durability durability;
        LogPartition.@Nullable Appended appended;

        @Nullable
        LogException error;

        Produce(
                ShardProxy.ProduceCompletion completion,
                LogPartition partition,
                ByteBuf batches,
                Durability durability) {
            this.completion = completion;
            this.partition = partition;
            this.batches = batches;
            this.durability = durability;
        }
    }

    /** Runs when queues know of the first {@code messages} messages of the pass and of no later one. */
    record Follower(Runnable command, int messages) {}

    /** Told whether a journal entry is durable. */
    @FunctionalInterface
    interface JournalEntry {
        void written(@Nullable LogException error);
    }

    /** The open batch of a bound stream's partition. */
    record StreamBatch(StreamTarget target, int partition, OpenBatch batch) {}

    Pass(int homePartitions) {
        home = new OpenBatch[homePartitions];
    }

    boolean isEmpty() {
        return publishes.isEmpty()
                && produces.isEmpty()
                && followers.isEmpty()
                && state == null
                && !creates; // a transaction is a publish
    }

    void follow(Runnable command) {
        followers.add(new Follower(command, messages));
    }

    void add(
            TargetSet target,
            @Nullable OpenBatch source,
            int record,
            int size,
            PublishBatch publish,
            int i,
            long arrival,
            boolean whole) {
        if (messages == records.length) {
            int capacity = messages * 2;
            targets = Arrays.copyOf(targets, capacity);
            sources = Arrays.copyOf(sources, capacity);
            records = Arrays.copyOf(records, capacity);
            states = Arrays.copyOf(states, capacity);
            expiries = Arrays.copyOf(expiries, capacity);
            arrivals = Arrays.copyOf(arrivals, capacity);
        }
        targets[messages] = target;
        sources[messages] = source;
        records[messages] = record;
        states[messages] = Reference.fresh(size, publish.priority(i));
        expiries[messages] = publish.expiry(i, arrival);
        arrivals[messages] = arrival;
        if (target.mayRefuse()) {
            refusables.add(new Refusable(messages, publish, i, whole));
        }
        messages++;
    }

    /**
     * All appends of a pass stand together, so that its publishes are stored whole or not at all: the log refuses the first
     * append of a pass for want of space or none, too large messages were refused before, and a stream that is deleted in
     * between is as if it had been deleted before.
     */
    void appendPublishes() {
        try {
            for (int i = 0; i < full.size(); i++) {
                append(full.get(i));
            }
            for (OpenBatch batch : home) {
                if (batch != null) {
                    append(batch);
                }
            }
            for (int i = 0; i < streams.size(); i++) {
                append(streams.get(i).batch());
            }
            if (settlements != null) {
                settlements.append();
            }
        } catch (LogException e) {
            LOG.warn("A pass of {} publishes was refused by the log: {}", publishes.size(), e.getMessage());
            fail(e);
        }
    }

    private static void append(OpenBatch batch) {
        try {
            batch.append();
        } catch (LogException e) {
            if (e.reason() != Reason.CLOSED) {
                throw e;
            }
            LOG.debug("A stream was deleted before a message for it was stored", e);
        }
    }

    /** Appends what Kafka clients sent; each for itself. */
    void appendProduces() {
        for (int i = 0; i < produces.size(); i++) {
            Produce produce = produces.get(i);
            try {
                // the partition takes over the reference, also when it refuses
                produce.appended = produce.partition.append(produce.batches, produce.durability);
            } catch (LogException e) {
                produce.error = e;
            }
        }
    }

    /** Frees what the pass holds and nobody took. */
    void discard() {
        for (int i = 0; i < full.size(); i++) {
            full.get(i).discard();
        }
        for (OpenBatch batch : home) {
            if (batch != null) {
                batch.discard();
            }
        }
        for (int i = 0; i < streams.size(); i++) {
            streams.get(i).batch().discard();
        }
        if (settlements != null) {
            settlements.discard();
        }
        if (state != null) {
            state.discard();
        }
    }

    /** None of the publishes is stored. */
    void fail(LogException why) {
        if (error == null) {
            error = why;
        }
    }

    /** The batch for journal records that go with the publishes, to partition {@code state}. */
    OpenBatch settlements(LogPartition state) {
        OpenBatch batch = settlements;
        if (batch == null) {
            batch = new OpenBatch(state);
            settlements = batch;
        }
        return batch;
    }

    /** Settlements of transactions take effect, or their deliveries go back; what is replaced is settled, or dying as before. */
    void endSettlements(boolean committed) {
        for (int i = 0; i < transactions.size(); i++) {
            transactions.get(i).end(committed);
        }
        transactions.clear();
        for (int i = 0; i < replaced.size(); i++) {
            replaced.get(i).endReplacing(committed);
        }
        replaced.clear();
    }

    /** Makes the object ready for the next pass. */
    void reset() {
        publishes.clear();
        produces.clear();
        followers.clear();
        followed = 0;
        journals.clear();
        refusables.clear();
        full.clear();
        Arrays.fill(home, null);
        streams.clear();
        transactions.clear();
        replaced.clear();
        settlements = null;
        state = null;
        memory = null;
        error = null;
        journalError = null;
        creates = false;
        number = 0;
        bytes = 0;
        publishBytes = 0;
        Arrays.fill(targets, 0, messages, null);
        Arrays.fill(sources, 0, messages, null);
        messages = 0;
    }
}
