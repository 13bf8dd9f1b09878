package io.sluice.routing.retained;

import io.sluice.io.Clock;
import io.sluice.log.AdvanceListener;
import io.sluice.log.LogPartition;
import io.sluice.log.record.BatchView;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordView;
import io.sluice.routing.DirectMessage;
import io.sluice.routing.RetainedMessages;
import io.sluice.routing.replay.LogScan;
import io.sluice.routing.replay.RecordAddress;
import io.sluice.routing.topic.TopicFilters;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Retained messages of a virtual host (MQTT 5.0, section 3.3.1.3). A publish with RETAIN has the compacted stream as one more
 * target; this follows the stream and indexes the newest record of each topic. A record with a null or empty value clears its
 * topic. The index is rebuilt by reading the stream at start.
 *
 * <p>Lookups work on the index of their moment, on any thread; the index moves on the shard thread, before the publishes that
 * moved it are confirmed.
 */
public final class LogRetainedMessages implements RetainedMessages, AdvanceListener {
    private static final Logger LOG = LoggerFactory.getLogger(LogRetainedMessages.class);

    private final LogPartition partition;
    private final Executor shard;
    private final Clock clock;
    private volatile RetainedIndex index = RetainedIndex.empty();

    // Shard thread only, after start.
    private final RecordView view = new RecordView();
    private long next;
    private boolean loading;

    private LogRetainedMessages(LogPartition partition, Executor shard, Clock clock) {
        this.partition = partition;
        this.shard = shard;
        this.clock = clock;
    }

    /** Reads the stream, blocking, then follows it. Before traffic. */
    public static LogRetainedMessages open(LogPartition partition, Executor shard, Clock clock) {
        LogRetainedMessages retained = new LogRetainedMessages(partition, shard, clock);
        RetainedIndex[] read = {RetainedIndex.empty()};
        retained.next = LogScan.readAll(partition, record -> read[0] = indexed(read[0], record));
        retained.index = read[0];
        partition.addAdvanceListener(retained);
        return retained;
    }

    /** Stops following the stream. */
    public void close() {
        partition.removeAdvanceListener(this);
    }

    @Override
    public int size() {
        return index.size();
    }

    @Override
    public void match(String topicFilter, Executor executor, Consumer<DirectMessage> each, Runnable done) {
        List<Found> found = new ArrayList<>();
        index.match(topicFilter, (topic, offset) -> found.add(new Found(topic, offset)));
        found.sort(Comparator.comparingLong(Found::offset));
        executor.execute(new Lookup(found, executor, each, done));
    }

    @Override
    public void advanced(LogPartition advanced, long highWatermark) {
        follow();
    }

    private void follow() {
        while (!loading && next < partition.highWatermark()) {
            BatchView batch = partition.cachedBatch(next);
            if (batch == null) {
                loading = true;
                partition.loadBatch(next, shard).whenComplete((loaded, error) -> {
                    loading = false;
                    if (error != null) {
                        LOG.error("retained messages cannot be read at offset {}", next, error);
                        return;
                    }
                    if (loaded == null) {
                        long base = LogScan.firstBatch(partition, next);
                        next = base < 0 ? partition.highWatermark() : Math.max(base, next + 1);
                    } else {
                        index(loaded);
                    }
                    follow();
                });
            } else {
                index(batch);
            }
        }
    }

    private void index(BatchView batch) {
        try {
            RetainedIndex changed = index;
            for (int i = 0; i < batch.recordCount(); i++) {
                batch.recordAt(i, view);
                if (view.offset() >= next) {
                    changed = indexed(changed, view);
                }
            }
            index = changed;
            next = batch.lastOffset() + 1;
        } finally {
            batch.release();
        }
    }

    private static RetainedIndex indexed(RetainedIndex index, RecordView record) {
        String topic = RecordAddress.topic(record);
        if (topic == null || !TopicFilters.isValidName(topic)) {
            return index;
        }
        return record.valueLength() > 0 ? index.with(topic, record.offset()) : index.without(topic);
    }

    private record Found(String topic, long offset) {}

    /** One lookup: loads batch after batch on the caller's executor. */
    private final class Lookup implements Runnable {
        private final List<Found> found;
        private final Executor executor;
        private final Consumer<DirectMessage> each;
        private final Runnable done;
        private final RecordView record = new RecordView();
        private int at;

        Lookup(List<Found> found, Executor executor, Consumer<DirectMessage> each, Runnable done) {
            this.found = found;
            this.executor = executor;
            this.each = each;
            this.done = done;
        }

        @Override
        public void run() {
            if (at == found.size()) {
                done.run();
                return;
            }
            partition.loadBatch(found.get(at).offset(), executor).whenComplete((batch, error) -> {
                if (error != null) {
                    LOG.warn(
                            "retained message of '{}' cannot be read: {}",
                            found.get(at).topic(),
                            error.toString());
                }
                int before = at;
                deliver(batch);
                if (at == before) {
                    at++; // compacted away since: a newer one was published and reaches the subscriber as that
                }
                run();
            });
        }

        private void deliver(@Nullable BatchView batch) {
            if (batch == null) {
                return;
            }
            try {
                long now = clock.epochMillis();
                while (at < found.size() && found.get(at).offset() <= batch.lastOffset()) {
                    Found message = found.get(at++);
                    if (!batch.record(message.offset(), record)
                            || record.findHeader(MessageHeaders.EXPIRES_AT)
                                    && record.headerAsLong(Long.MAX_VALUE) <= now) {
                        continue;
                    }
                    int qos = record.findHeader(MessageHeaders.QOS) ? (int) record.headerAsLong(0) : 0;
                    RetainedMessage direct =
                            new RetainedMessage(message.topic(), qos, batch.retain(), message.offset());
                    try {
                        each.accept(direct);
                    } finally {
                        direct.release();
                    }
                }
            } finally {
                batch.release();
            }
        }
    }
}
