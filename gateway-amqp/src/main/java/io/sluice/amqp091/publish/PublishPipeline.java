package io.sluice.amqp091.publish;

import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.amqp091.session.Session;
import io.sluice.engine.LogEngine;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.log.LogException;
import io.sluice.routing.DirectDispatch;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Messages of all channels that one read brought, as one batch for the shard. Stops reading the connection while the shard is
 * congested or the disk is full; a client that knows {@code connection.blocked} is told, of congestion only when it lasts. While
 * the disk is full what was read already waits here, and a connection that also consumes is read on for its acknowledgements until
 * {@value #HELD_BYTES} bytes wait. What the shard had taken before anybody knew is refused by the log: a nack, or 506 where no
 * confirm was asked for. Confined to the loop.
 */
public final class PublishPipeline {
    private static final int SIZE_HINT = 16 * 1024;
    /** Congestion shorter than this is not worth a notification, ms. */
    private static final int NOTIFY_MILLIS = 1000;
    /** Publishes kept while the disk is full, bytes. */
    private static final int HELD_BYTES = 1 << 20;

    private final Session connection;
    private final ShardProxy shard;
    private final LogEngine engine;
    private final DirectDispatch direct;
    private final Deque<PublishBatch> held = new ArrayDeque<>();
    private @Nullable PublishBatch batch;
    private @Nullable Run run;
    private long heldBytes;
    private int received;
    private boolean congested;
    private boolean eased;
    private boolean diskFull;
    private boolean announced;
    private boolean published;
    private boolean closed;

    public PublishPipeline(Session connection) {
        this.connection = connection;
        this.shard = connection.shared().broker().shard();
        this.direct = new DirectDispatch();
        this.engine = connection.shared().broker().engine();
        this.diskFull = engine.diskState() == DiskState.FULL;
    }

    /** The batch of the current read. */
    PublishBatch batch() {
        PublishBatch current = batch;
        if (current == null) {
            Run completion = new Run(this, connection.executor());
            current = new PublishBatch(connection.caller(), completion, connection.allocator(), SIZE_HINT);
            batch = current;
            run = completion;
        }
        return current;
    }

    public DirectDispatch direct() {
        return direct;
    }

    /**
     * A message was added to the batch or needed none.
     *
     * @param sequence its confirm number, 0 without confirms
     */
    void added(ChannelPublisher publisher, long sequence) {
        published = true;
        received++;
        PublishBatch current = batch();
        if (run != null) {
            run.add(publisher, sequence, current.size());
        }
    }

    /** Hands the batch over. */
    public void submit() {
        if (received > 0) {
            connection.shared().received().add(received);
            received = 0;
        }
        direct.flush();
        PublishBatch full = batch;
        Run completion = run;
        if (full == null || completion == null) {
            return;
        }
        batch = null;
        run = null;
        if (full.size() == 0) {
            full.releaseBuffer();
            completion.completed(full, null);
        } else if (isDiskFull()) {
            hold(full);
            pauseForDisk();
        } else if (!held.isEmpty() || !shard.submit(full)) {
            hold(full);
            pauseForShard();
        } else if (shard.isCongested()) {
            pauseForShard();
        }
    }

    private void hold(PublishBatch full) {
        held.add(full);
        heldBytes += full.sizeInBytes();
    }

    /** Asks the engine too: its notification may be on its way. */
    private boolean isDiskFull() {
        if (engine.diskState() == DiskState.FULL) {
            diskFull = true;
        }
        return diskFull;
    }

    public boolean isPaused() {
        return congested || eased || diskFull && published && (heldBytes > HELD_BYTES || !connection.hasConsumers());
    }

    /** For listings. */
    public ConnectionInfo.Publishing state() {
        if (diskFull && published || !held.isEmpty()) {
            return ConnectionInfo.Publishing.BLOCKED;
        }
        return congested || eased ? ConnectionInfo.Publishing.FLOW : ConnectionInfo.Publishing.RUNNING;
    }

    private void pauseForShard() {
        if (congested) {
            return;
        }
        congested = true;
        connection.updateReading();
        shard.onReady(connection.executor(), this::shardReady);
        connection.executor().schedule(this::announceCongestion, NOTIFY_MILLIS, TimeUnit.MILLISECONDS);
    }

    /**
     * Waits a moment, since consumers of a queue that was published to have fallen behind. Not on a connection that consumes: its
     * acknowledgements are what consumers wait for.
     */
    private void ease(int millis) {
        if (eased || closed || connection.hasConsumers()) {
            return;
        }
        eased = true;
        connection.updateReading();
        connection.executor().schedule(this::endEase, millis, TimeUnit.MILLISECONDS);
    }

    private void endEase() {
        eased = false;
        if (!closed) {
            connection.publishesHandedOver();
        }
    }

    private void announceCongestion() {
        if (congested && !closed) {
            announce("broker is overloaded");
        }
    }

    private void announce(String reason) {
        if (!announced && connection.clientCan("connection.blocked")) {
            announced = true;
            connection.output().method(0, new ConnectionMethod.Blocked(reason));
        }
    }

    private void shardReady() {
        congested = false;
        if (closed) {
            return;
        }
        submitHeld();
    }

    private void submitHeld() {
        while (!diskFull && !held.isEmpty()) {
            PublishBatch oldest = held.peek();
            int size = oldest.sizeInBytes();
            if (!shard.submit(oldest)) {
                pauseForShard();
                return;
            }
            held.remove();
            heldBytes -= size;
        }
        if (!diskFull && shard.isCongested()) {
            pauseForShard();
            return;
        }
        goOn();
    }

    public void diskChanged(DiskState disk) {
        diskFull = disk == DiskState.FULL;
        if (!diskFull) {
            submitHeld();
        } else if (published) {
            pauseForDisk();
        }
    }

    private void pauseForDisk() {
        announce("low on disk");
        connection.updateReading();
    }

    private void goOn() {
        if (announced && !congested && !diskFull) {
            announced = false;
            connection.output().method(0, new ConnectionMethod.Unblocked());
        }
        connection.publishesHandedOver();
    }

    /** True while publishes wait for the shard or the disk. */
    public boolean isHolding() {
        return !held.isEmpty();
    }

    /** What still waits was never confirmed and is dropped: only a connection that is cut, or closed by an error, leaves any. */
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        submit();
        for (PublishBatch waiting : held) {
            waiting.releaseBuffer();
        }
        held.clear();
    }

    /** What is to be confirmed when one batch is stored. */
    private static final class Run implements PublishBatch.Completion {
        private final PublishPipeline pipeline;
        private final Executor executor;
        private final List<ChannelPublisher> publishers = new ArrayList<>(2);
        private long[] firsts = new long[2];
        private long[] lasts = new long[2];
        /** Messages in the batch up to and with this entry. */
        private int[] ends = new int[2];

        Run(PublishPipeline pipeline, Executor executor) {
            this.pipeline = pipeline;
            this.executor = executor;
        }

        void add(ChannelPublisher publisher, long sequence, int end) {
            int last = publishers.size() - 1;
            if (last >= 0 && publishers.get(last).equals(publisher)) {
                lasts[last] = sequence;
                ends[last] = end;
                return;
            }
            if (publishers.size() == firsts.length) {
                firsts = java.util.Arrays.copyOf(firsts, firsts.length * 2);
                lasts = java.util.Arrays.copyOf(lasts, lasts.length * 2);
                ends = java.util.Arrays.copyOf(ends, ends.length * 2);
            }
            firsts[last + 1] = sequence;
            lasts[last + 1] = sequence;
            ends[last + 1] = end;
            publishers.add(publisher);
        }

        @Override
        public Executor executor() {
            return executor;
        }

        @Override
        public void completed(PublishBatch batch, @Nullable LogException error) {
            for (int i = 0; i < publishers.size(); i++) {
                int from = i == 0 ? 0 : ends[i - 1];
                publishers.get(i).completed(firsts[i], lasts[i], batch, from, ends[i], error);
            }
            int pause = batch.size() == 0 ? 0 : batch.targets(batch.size() - 1).publishPauseMillis();
            if (pause > 0) {
                pipeline.ease(pause);
            }
        }
    }
}
