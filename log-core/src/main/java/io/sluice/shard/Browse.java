package io.sluice.shard;

import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.MessageSelector;
import io.sluice.queue.QueueBrowser;
import io.sluice.queue.Reference;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A walk along what waits in a queue. It keeps the place of the last message that it looked at, and looks up what is behind it anew in
 * each turn, so that it shows nothing that has gone in the meantime. All but the {@link QueueBrowser} methods on the shard thread.
 */
final class Browse implements QueueBrowser, QueueReader.User {
    /** References looked up at a time. */
    private static final int STEP = 512;
    /** Messages looked at in one turn. */
    private static final int PER_TURN = 1024;

    private final ShardLoop loop;
    private final DeliveryQueue queue;
    private final @Nullable MessageSelector selector;
    private final DeliverySink sink;
    private final Runnable ended;
    private final RecordView record = new RecordView();
    private final int firstCredit;

    private @Nullable QueueReader reader;
    private long[] ends = {};
    private int credit;
    private long nextId = 1;
    private boolean over;
    /** A message could not be read: why the walk ends here. */
    private @Nullable Throwable failure;

    /** Everything before this place was looked at. */
    private long from;
    /** Place of the message that is being read. */
    private long awaited;
    // looked up in this turn: sequence, position, state, expiry
    private long[] found = new long[0];
    private int size;
    private int at;
    private long behindFound;

    Browse(
            ShardLoop loop,
            DeliveryQueue queue,
            @Nullable MessageSelector selector,
            int credit,
            DeliverySink sink,
            Runnable ended) {
        this.loop = loop;
        this.queue = queue;
        this.selector = selector;
        this.firstCredit = credit;
        this.sink = sink;
        this.ended = ended;
    }

    @Override
    public void credit(int n) {
        loop.put((Runnable) () -> grant(n));
    }

    @Override
    public void close() {
        loop.put((Runnable) () -> queue.endBrowse(this));
    }

    /** Begins with what waits now. */
    void begin(DeliveryMachine machine, DeliveryQueues queues) {
        ends = machine.ends();
        reader = new QueueReader(queues, this);
        grant(firstCredit);
    }

    private void grant(int n) {
        if (n > 0) {
            credit = n > Integer.MAX_VALUE - credit ? Integer.MAX_VALUE : credit + n;
            queue.wake();
        }
    }

    DeliverySink sink() {
        return sink;
    }

    /** Lets go what it holds. */
    void end() {
        over = true;
        if (reader != null) {
            reader.release();
        }
    }

    /**
     * Shows as much as credit and the bound of a turn allow.
     *
     * @return true if there is more to do at once
     */
    boolean work(DeliveryMachine machine, DeliveryQueues queues, long now) {
        QueueReader source = reader;
        if (over || source == null || source.isLoading()) {
            return false;
        }
        if (failure != null) {
            String why = "its messages cannot be read: " + failure.getMessage();
            queues.out().of(sink.executor()).then(() -> sink.closed(why));
            queue.endBrowse(this);
            return false;
        }
        DeliveryBatch batch = null;
        boolean atEnd = false;
        int left = PER_TURN;
        size = 0;
        at = 0;
        behindFound = from;
        while (credit > 0 && left > 0) {
            if (at == size) {
                atEnd = behindFound < 0 || !lookUp(machine);
                if (atEnd) {
                    break;
                }
                continue;
            }
            long position = found[at + 1];
            boolean expired = found[at + 3] != Reference.NEVER && now > found[at + 3];
            awaited = found[at];
            if (!expired && !source.open(position)) {
                break;
            }
            if (!expired && isWanted(source, position)) {
                if (batch == null) {
                    batch = new DeliveryBatch();
                    queues.out().of(sink.executor()).deliver(sink, batch);
                }
                long state = found[at + 2];
                batch.add(
                        nextId++,
                        source.view(),
                        Reference.offset(position),
                        Reference.deliveryCount(state),
                        Reference.redelivered(state));
                credit -= credit == Integer.MAX_VALUE ? 0 : 1;
            }
            left--;
            from = found[at] + 1;
            at += 4;
        }
        if (atEnd) {
            queues.out().of(sink.executor()).then(ended);
            queue.endBrowse(this);
        } else if (!source.isFromDisk()) {
            source.close();
        }
        return !atEnd && credit > 0 && !source.isLoading();
    }

    /** Finds what is behind what was found before; false if there is nothing. */
    private boolean lookUp(DeliveryMachine machine) {
        size = 0;
        at = 0;
        while (size == 0 && behindFound >= 0) {
            behindFound = machine.visitWaiting(behindFound, Math.min(credit, STEP), ends, this::found);
        }
        return size > 0;
    }

    private void found(long sequence, long position, long state, long expiry) {
        if (size == found.length) {
            found = Arrays.copyOf(found, Math.max(4 * 64, size * 2));
        }
        found[size++] = sequence;
        found[size++] = position;
        found[size++] = state;
        found[size++] = expiry;
    }

    private boolean isWanted(QueueReader source, long position) {
        return source.view().record(Reference.offset(position), record)
                && (selector == null || Examiner.meets(selector, record));
    }

    @Override
    public void loaded() {
        queue.wake();
    }

    @Override
    public void missing(long position) {
        from = awaited + 1;
        queue.wake();
    }

    @Override
    public void failed(Throwable error) {
        failure = error;
        queue.wake();
    }
}
