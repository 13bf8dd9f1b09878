package io.sluice.queue;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.log.StreamId;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;

/** The routing header written into home records names exactly the queues of the target set. */
class TargetSetTest {
    @Test
    void routingHeaderRoundTrips() {
        List<QueueRef> queues = List.of(queue(900_000_000_000L, true), queue(3, false), queue(4, false));
        TargetSet targets = new TargetSet(queues, List.of());

        ByteBuf fields = Unpooled.buffer();
        RecordFields.writeBytes(fields, (byte[]) null);
        RecordFields.writeBytes(fields, new byte[] {1});
        RecordFields.writeVarint(fields, 2);
        RecordFields.writeHeader(fields, new byte[] {'x'}, new byte[] {2});
        fields.writeBytes(targets.routingHeader());
        RecordView view = new RecordView().wrap(fields, 0, 0, 0);
        List<Long> read = new ArrayList<>();
        TargetSet.forEachQueue(view, read::add);

        assertThat(read).containsExactly(3L, 4L, 900_000_000_000L);
        assertThat(targets.hasDurable()).isTrue();
        assertThat(targets.queue(0).id().value()).isEqualTo(3);
    }

    @Test
    void recordWithoutRoutingHeaderNamesNoQueue() {
        ByteBuf fields = Unpooled.buffer();
        RecordFields.writeBytes(fields, (byte[]) null);
        RecordFields.writeBytes(fields, new byte[0]);
        RecordFields.writeVarint(fields, 0);
        List<Long> read = new ArrayList<>();
        TargetSet.forEachQueue(new RecordView().wrap(fields, 0, 0, 0), read::add);
        assertThat(read).isEmpty();
    }

    @Test
    void streamsCountAsDurableAndHashToAPartition() {
        StreamTarget stream = new StreamTarget(new StreamId(new UUID(1, 2)), 3);
        assertThat(new TargetSet(List.of(queue(1, false)), List.of()).hasDurable())
                .isFalse();
        assertThat(new TargetSet(List.of(), List.of(stream)).hasDurable()).isTrue();
        assertThat(stream.partition(Integer.MIN_VALUE).index()).isBetween(0, 2);
        assertThat(TargetSet.EMPTY.isEmpty()).isTrue();
    }

    private static QueueRef queue(long id, boolean durable) {
        QueueSpec spec = new QueueSpec(new QueueId(id), "/", "q" + id, durable, QueuePolicy.NONE, Principal.ANONYMOUS);
        return new QueueRef() {
            @Override
            public QueueId id() {
                return spec.id();
            }

            @Override
            public QueueSpec spec() {
                return spec;
            }

            @Override
            public boolean isOpen() {
                return true;
            }

            @Override
            public CompletionStage<QueueStats> currentStats() {
                return CompletableFuture.completedFuture(stats());
            }

            @Override
            public int publishPauseMillis() {
                return 0;
            }

            @Override
            public QueueStats stats() {
                return new QueueStats(0, 0, 0);
            }

            @Override
            public QueueConsumer attach(Caller caller, ConsumerSpec consumer, DeliverySink sink) {
                throw new AssertionError("not used");
            }

            @Override
            public QueueBrowser browse(
                    Caller caller, MessageSelector selector, int credit, DeliverySink sink, Runnable ended) {
                throw new AssertionError("not used");
            }

            @Override
            public void touch() {}

            @Override
            public CompletionStage<Long> purge(Caller caller) {
                return CompletableFuture.completedFuture(0L);
            }
        };
    }
}
