package io.sluice.kafka.fetch;

import io.netty.util.concurrent.ScheduledFuture;
import io.sluice.access.Operation;
import io.sluice.kafka.connection.Request;
import io.sluice.kafka.connection.SliceRecords;
import io.sluice.kafka.convert.KafkaErrors;
import io.sluice.kafka.convert.Topics;
import io.sluice.log.AdvanceListener;
import io.sluice.log.Isolation;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.FetchRequestData;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.message.FetchResponseData.FetchableTopicResponse;
import org.apache.kafka.common.message.FetchResponseData.PartitionData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.requests.FetchResponse;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One fetch on its way: tried at once, and again each time a high watermark moves, until it has the minimum of bytes, an
 * error to tell, or its time is up. Confined to the loop, except {@link #advanced}, which runs on the shard and hops.
 */
final class PendingFetch implements AdvanceListener, Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(PendingFetch.class);

    private final Request request;
    private final FetchRequestData data;
    private final Executor readerPool;
    private final int maxBytes;
    private final @Nullable FetchSession session;
    private final boolean full;
    private final Isolation isolation;
    private final List<Part> parts;
    private final AtomicBoolean woken = new AtomicBoolean();
    private @Nullable ScheduledFuture<?> timer;
    private final Runnable onClose = this::abandon;
    private boolean listening;
    private boolean finished;

    /** A partition of the request and where it stands. */
    private static final class Part {
        final FetchSession.Entry entry;
        final Topics.Lookup lookup;
        Errors error;

        @Nullable
        LogSlice slice;

        Part(FetchSession.Entry entry, Topics.Lookup lookup) {
            this.entry = entry;
            this.lookup = lookup;
            this.error = lookup.error();
        }
    }

    PendingFetch(
            Request request,
            FetchRequestData data,
            Topics topics,
            Executor readerPool,
            int maxBytes,
            @Nullable FetchSession session,
            List<FetchSession.Entry> entries,
            boolean full) {
        this.request = request;
        this.data = data;
        this.readerPool = readerPool;
        this.maxBytes = Math.min(maxBytes, Math.max(0, data.maxBytes()));
        this.session = session;
        this.full = full;
        this.isolation = data.isolationLevel() == 1 ? Isolation.LAST_STABLE : Isolation.HIGH_WATERMARK;
        this.parts = new ArrayList<>(entries.size());
        for (FetchSession.Entry entry : entries) {
            parts.add(new Part(entry, lookup(topics, entry.key)));
        }
    }

    private Topics.Lookup lookup(Topics topics, FetchSession.Key key) {
        String name = key.topic();
        if (request.version() >= 13) {
            name = topics.name(request.caller(), key.topicId());
            if (name == null) {
                return new Topics.Lookup(null, null, Errors.UNKNOWN_TOPIC_ID);
            }
        }
        return topics.partition(request.caller(), Operation.READ, name, key.partition());
    }

    void start() {
        if (attempt() || data.maxWaitMs() <= 0 || parts.isEmpty()) {
            finish();
            return;
        }
        // Listening comes before the second look, so that no append slips through between the two.
        listening = true;
        for (Part part : parts) {
            LogPartition partition = part.lookup.partition();
            if (partition != null) {
                partition.addAdvanceListener(this);
            }
        }
        if (attempt()) {
            finish();
            return;
        }
        timer = request.loop().schedule(this::finish, data.maxWaitMs(), TimeUnit.MILLISECONDS);
        request.state().onClose(onClose);
        request.waits(this::finish);
    }

    @Override
    public void advanced(LogPartition partition, long highWatermark) {
        if (woken.compareAndSet(false, true)) {
            request.loop().execute(this);
        }
    }

    @Override
    public void run() {
        woken.set(false);
        if (!finished && attempt()) {
            finish();
        }
    }

    /** Reads what is there; true if it is enough to answer. Slices of the attempt before are let go. */
    private boolean attempt() {
        releaseSlices();
        int bytes = 0;
        boolean due = false;
        for (Part part : parts) {
            LogPartition partition = part.lookup.partition();
            if (partition != null && part.error == Errors.NONE) {
                bytes += read(part, partition, bytes);
            }
            due |= part.error != Errors.NONE;
        }
        return due || bytes >= data.minBytes() && (bytes > 0 || data.minBytes() <= 0);
    }

    private int read(Part part, LogPartition partition, int before) {
        part.error = Topics.checkEpoch(partition, part.entry.currentLeaderEpoch);
        int budget = Math.min(part.entry.maxBytes, maxBytes - before);
        if (part.error != Errors.NONE || (before > 0 && budget <= 0) || diverging(part, partition) != null) {
            return 0;
        }
        try {
            LogSlice slice = partition.read(part.entry.fetchOffset, Math.max(0, budget), isolation);
            int size = slice.sizeInBytes();
            // Only the first batch of a response may exceed its bounds (KIP-74).
            if (size == 0 || (before > 0 && size > budget)) {
                slice.release();
                return 0;
            }
            part.slice = slice;
            return size;
        } catch (LogException e) {
            part.error = KafkaErrors.of(e);
            return 0;
        }
    }

    /** Where the client's log and this one part (KIP-595), null if they do not. */
    private static FetchResponseData.@Nullable EpochEndOffset diverging(Part part, LogPartition partition) {
        int epoch = part.entry.lastFetchedEpoch;
        if (epoch < 0) {
            return null;
        }
        LogPartition.EpochEnd end = partition.endOffsetFor(epoch);
        boolean same = end.leaderEpoch() == epoch && end.endOffset() >= part.entry.fetchOffset;
        return same
                ? null
                : new FetchResponseData.EpochEndOffset()
                        .setEpoch(end.leaderEpoch())
                        .setEndOffset(end.endOffset());
    }

    private void finish() {
        if (finished) {
            return;
        }
        finished = true;
        stopWaiting();
        List<LogSlice> cold = new ArrayList<>(0);
        for (Part part : parts) {
            if (part.slice != null && part.slice.isCold()) {
                cold.add(part.slice);
            }
        }
        if (cold.isEmpty()) {
            respond();
            return;
        }
        try {
            readerPool.execute(() -> {
                warm(cold);
                request.loop().execute(this::respond);
            });
        } catch (RejectedExecutionException e) {
            // The pool is full of cold reads: the client comes again with the same offsets.
            releaseSlices();
            respond();
        }
    }

    private void abandon() {
        if (!finished) {
            finished = true;
            stopWaiting();
            releaseSlices();
        }
    }

    private void stopWaiting() {
        if (timer != null) {
            timer.cancel(false);
            request.state().forget(onClose);
            request.waits(null);
        }
        if (listening) {
            for (Part part : parts) {
                LogPartition partition = part.lookup.partition();
                if (partition != null) {
                    partition.removeAdvanceListener(this);
                }
            }
        }
    }

    /** Brings slices into the page cache, so that {@code sendfile} does not block the loop on the disk. */
    private static void warm(List<LogSlice> slices) {
        for (LogSlice slice : slices) {
            try {
                slice.load();
            } catch (IOException e) {
                LOG.warn("cannot read ahead of a fetch at offset {}: {}", slice.baseOffset(), e.toString());
            }
        }
    }

    private void respond() {
        FetchResponseData response = new FetchResponseData().setSessionId(session == null ? 0 : session.id());
        FetchableTopicResponse topic = null;
        for (Part part : parts) {
            LogSlice slice = part.slice;
            PartitionData answer = answer(part, slice);
            int bytes = slice == null ? 0 : slice.sizeInBytes();
            boolean news = part.entry.news(answer, bytes);
            if (session != null && bytes > 0) {
                session.served(part.entry);
            }
            if (!full && !news) {
                continue;
            }
            String name = part.entry.key.topic();
            Uuid id = part.entry.key.topicId();
            if (topic == null || !topic.topic().equals(name) || !topic.topicId().equals(id)) {
                topic = new FetchableTopicResponse().setTopic(name).setTopicId(id);
                response.responses().add(topic);
            }
            topic.partitions().add(answer);
        }
        request.respond(FetchResponse.of(response));
    }

    private PartitionData answer(Part part, @Nullable LogSlice slice) {
        PartitionData answer = new PartitionData()
                .setPartitionIndex(part.entry.key.partition())
                .setErrorCode(part.error.code())
                .setHighWatermark(-1)
                .setLastStableOffset(-1)
                .setLogStartOffset(-1)
                .setAbortedTransactions(isolation == Isolation.LAST_STABLE ? List.of() : null)
                .setRecords(slice == null ? MemoryRecords.EMPTY : new SliceRecords(slice));
        LogPartition partition = part.lookup.partition();
        if (partition != null && part.error == Errors.NONE) {
            answer.setHighWatermark(partition.highWatermark())
                    .setLastStableOffset(partition.lastStableOffset())
                    .setLogStartOffset(partition.logStartOffset());
            FetchResponseData.EpochEndOffset diverging = diverging(part, partition);
            if (diverging != null) {
                answer.setDivergingEpoch(diverging);
            }
        }
        return answer;
    }

    private void releaseSlices() {
        for (Part part : parts) {
            if (part.slice != null) {
                part.slice.release();
                part.slice = null;
            }
        }
    }
}
