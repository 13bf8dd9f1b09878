package io.sluice.routing.catalog;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.log.AdvanceListener;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.shard.PublishBatch;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;

/** A partition in memory: one batch per record. Outlives the broker under test. */
final class FakeLog {
    private final PartitionId id;
    private final List<ByteBuf> records = new CopyOnWriteArrayList<>();
    private final List<AdvanceListener> listeners = new CopyOnWriteArrayList<>();
    private final LogPartition partition;

    FakeLog(PartitionId id) {
        this.id = id;
        InvocationHandler handler = (proxy, method, args) -> switch (method.getName()) {
            case "logStartOffset" -> 0L;
            case "highWatermark", "logEndOffset", "lastStableOffset" -> (long) records.size();
            case "addAdvanceListener" -> listeners.add((AdvanceListener) args[0]) ? null : null;
            case "removeAdvanceListener" -> listeners.remove(args[0]) ? null : null;
            case "id" -> this.id;
            case "read" -> slice((Long) args[0]);
            // Every other batch is not in memory, so that both ways of reading are taken.
            case "cachedBatch" -> (Long) args[0] % 2 == 0 ? batch((Long) args[0]) : null;
            case "loadBatch" -> CompletableFuture.supplyAsync(() -> batch((Long) args[0]), (Executor) args[1]);
            default -> throw new UnsupportedOperationException(method.getName());
        };
        partition = (LogPartition)
                Proxy.newProxyInstance(FakeLog.class.getClassLoader(), new Class<?>[] {LogPartition.class}, handler);
    }

    LogPartition partition() {
        return partition;
    }

    void append(PublishBatch from, int i) {
        records.add(copy(from, i));
    }

    void advance() {
        listeners.forEach(listener -> listener.advanced(partition, records.size()));
    }

    void dropListeners() {
        listeners.clear();
    }

    /** Key, value, header count and headers of a message. */
    static ByteBuf copy(PublishBatch from, int i) {
        ByteBuf out = Unpooled.buffer();
        out.writeBytes(from.buffer(), from.start(i), from.headerStart(i) - from.start(i));
        RecordFields.writeVarint(out, from.headerCount(i));
        out.writeBytes(from.buffer(), from.headerStart(i), from.end(i) - from.headerStart(i));
        return out;
    }

    List<RecordView> views() {
        List<RecordView> views = new ArrayList<>();
        for (int i = 0; i < records.size(); i++) {
            views.add(new RecordView().wrap(records.get(i), 0, i, 0));
        }
        return views;
    }

    private BatchView batch(long offset) {
        return offset < records.size() ? new OneRecord(offset, records.get((int) offset)) : null;
    }

    private LogSlice slice(long offset) {
        InvocationHandler handler = (proxy, method, args) -> switch (method.getName()) {
            case "baseOffset" -> offset;
            case "nextOffset" -> Math.min(offset + 1, records.size());
            case "sizeInBytes" -> offset < records.size() ? 1 : 0;
            case "release" -> true;
            default -> throw new UnsupportedOperationException(method.getName());
        };
        return (LogSlice)
                Proxy.newProxyInstance(FakeLog.class.getClassLoader(), new Class<?>[] {LogSlice.class}, handler);
    }

    private static final class OneRecord extends AbstractReferenceCounted implements BatchView {
        private final long offset;
        private final ByteBuf record;

        OneRecord(long offset, ByteBuf record) {
            this.offset = offset;
            this.record = record;
        }

        @Override
        public long baseOffset() {
            return offset;
        }

        @Override
        public long lastOffset() {
            return offset;
        }

        @Override
        public int recordCount() {
            return 1;
        }

        @Override
        public boolean record(long at, RecordView into) {
            if (refCnt() == 0) {
                throw new IllegalStateException("read after release");
            }
            into.wrap(record, 0, offset, 1_000);
            return at == offset;
        }

        @Override
        public void recordAt(int index, RecordView into) {
            record(offset, into);
        }

        @Override
        public BatchView retain() {
            super.retain();
            return this;
        }

        @Override
        public ReferenceCounted touch(Object hint) {
            return this;
        }

        @Override
        protected void deallocate() {}
    }
}
