package io.sluice.kafka.fetch;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.FetchRequestData;
import org.apache.kafka.common.message.FetchResponseData.PartitionData;
import org.apache.kafka.common.protocol.Errors;
import org.jspecify.annotations.Nullable;

/**
 * An incremental fetch session (KIP-227): the partitions a client fetches, so that it need not send them again, and what it
 * was told last, so that unchanged partitions are left out of answers. Lives and dies with its connection (a client that
 * reconnects opens a new one), at most one per connection. Confined to the loop.
 */
final class FetchSession {
    /** A partition of a topic, by name before version 13 and by id since. */
    record Key(String topic, Uuid topicId, int partition) {}

    /** What the client asks of a partition, and what it was told last. */
    static final class Entry {
        final Key key;
        long fetchOffset;
        int maxBytes;
        int currentLeaderEpoch;
        int lastFetchedEpoch;
        private long toldHighWatermark = -1;
        private long toldStable = -1;
        private long toldStart = -1;

        Entry(Key key) {
            this.key = key;
        }

        void ask(FetchRequestData.FetchPartition partition) {
            fetchOffset = partition.fetchOffset();
            maxBytes = partition.partitionMaxBytes();
            currentLeaderEpoch = partition.currentLeaderEpoch();
            lastFetchedEpoch = partition.lastFetchedEpoch();
        }

        /** Says whether {@code answer} tells the client anything new, and remembers it. */
        boolean news(PartitionData answer, int recordBytes) {
            boolean changed = recordBytes > 0
                    || answer.errorCode() != Errors.NONE.code()
                    || answer.divergingEpoch().epoch() >= 0
                    || answer.highWatermark() != toldHighWatermark
                    || answer.lastStableOffset() != toldStable
                    || answer.logStartOffset() != toldStart;
            boolean failed = answer.errorCode() != Errors.NONE.code();
            // after an error everything is told again
            toldHighWatermark = failed ? -1 : answer.highWatermark();
            toldStable = failed ? -1 : answer.lastStableOffset();
            toldStart = failed ? -1 : answer.logStartOffset();
            return changed;
        }
    }

    private final Map<Key, Entry> entries = new LinkedHashMap<>();
    private final int id;
    private int nextEpoch = 1;

    FetchSession(int id) {
        this.id = id;
    }

    int id() {
        return id;
    }

    /** True if {@code epoch} is the next one; then moves on. */
    boolean advance(int epoch) {
        if (epoch != nextEpoch) {
            return false;
        }
        nextEpoch = nextEpoch == Integer.MAX_VALUE ? 1 : nextEpoch + 1;
        return true;
    }

    /** Takes in what a request adds, changes and forgets. */
    void update(FetchRequestData request) {
        for (var topic : request.forgottenTopicsData()) {
            for (int partition : topic.partitions()) {
                entries.remove(new Key(topic.topic(), topic.topicId(), partition));
            }
        }
        for (Entry entry : list(request)) {
            Entry present = entries.get(entry.key);
            if (present == null) {
                entries.put(entry.key, entry);
            } else {
                present.fetchOffset = entry.fetchOffset;
                present.maxBytes = entry.maxBytes;
                present.currentLeaderEpoch = entry.currentLeaderEpoch;
                present.lastFetchedEpoch = entry.lastFetchedEpoch;
            }
        }
    }

    /** The partitions in the order of this round; those served last come last next time. */
    List<Entry> entries() {
        return new ArrayList<>(entries.values());
    }

    /** Moves a partition that got records to the end, so that all get their turn. */
    void served(Entry entry) {
        @Nullable Entry present = entries.remove(entry.key);
        if (present != null) {
            entries.put(present.key, present);
        }
    }

    /** The partitions of a full request. */
    static List<Entry> list(FetchRequestData request) {
        List<Entry> list = new ArrayList<>();
        for (var topic : request.topics()) {
            for (var partition : topic.partitions()) {
                Entry entry = new Entry(new Key(topic.topic(), topic.topicId(), partition.partition()));
                entry.ask(partition);
                list.add(entry);
            }
        }
        return list;
    }
}
