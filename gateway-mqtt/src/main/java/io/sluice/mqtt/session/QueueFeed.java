package io.sluice.mqtt.session;

import io.sluice.access.Caller;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueRef;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The attachment of a durable session to its queue for one connection. Credit outstanding at the queue and messages in flight
 * together never exceed the client's receive maximum (MQTT 5.0 section 4.9). Confined to the connection's event loop.
 */
public final class QueueFeed implements DeliverySink {
    private final Session session;
    private final QueueRef queue;
    private final Caller caller;
    private final Executor loop;
    private final Consumer<String> onEnd;
    private Map<Long, ArrayDeque<Integer>> earlier = Map.of();
    private Map<Long, ArrayDeque<Integer>> unacknowledged = Map.of();
    private @Nullable QueueConsumer consumer;
    private int credit;
    private boolean reclaiming;
    private boolean dirty;

    /**
     * Creates an attachment that {@link Session#attach} starts.
     *
     * @param onEnd must end the connection for the reason given; run on the loop when the queue is deleted under the session or
     *     a delivery cannot be written
     */
    public QueueFeed(Session session, QueueRef queue, Caller caller, Executor loop, Consumer<String> onEnd) {
        this.session = session;
        this.queue = queue;
        this.caller = caller;
        this.loop = loop;
        this.onEnd = onEnd;
    }

    @Override
    public Executor executor() {
        return loop;
    }

    @Override
    public void deliver(DeliveryBatch batch) {
        credit = Math.max(0, credit - batch.size());
        session.deliverQueued(this, batch);
    }

    @Override
    public void closed(String reason) {
        consumer = null;
        onEnd.accept("session queue closed: " + reason);
    }

    @Override
    public void failed(RuntimeException cause) {
        onEnd.accept("a delivery cannot be written");
    }

    /** Starts deliveries; {@code before} is what {@link #unacknowledged} was on the connection before. */
    void start(int initialCredit, Map<Long, ArrayDeque<Integer>> before) {
        earlier = before;
        credit = initialCredit;
        consumer =
                queue.attach(caller, new QueueRef.ConsumerSpec(session.clientId(), false, true, initialCredit), this);
    }

    void stop() {
        QueueConsumer c = consumer;
        consumer = null;
        if (c != null) {
            c.flush();
            c.cancel();
        }
    }

    /** Credit that the queue holds. */
    int credit() {
        return credit;
    }

    void grant(int more) {
        QueueConsumer c = consumer;
        if (c != null && more > 0 && !reclaiming) {
            credit += more;
            c.credit(more);
            dirty = true;
        }
    }

    void settle(long deliveryId) {
        QueueConsumer c = consumer;
        if (c != null) {
            c.ack(deliveryId);
            dirty = true;
        }
    }

    /** Takes back unused credit; then {@code done} runs, with {@link #credit} 0. One at a time: others join the first. */
    void reclaim(Runnable done) {
        QueueConsumer c = consumer;
        if (c == null || reclaiming) {
            return;
        }
        reclaiming = true;
        c.drain(() -> {
            reclaiming = false;
            credit = 0;
            done.run();
            flush();
        });
        c.flush();
        dirty = false;
    }

    void flush() {
        QueueConsumer c = consumer;
        if (dirty && c != null) {
            dirty = false;
            c.flush();
        }
    }

    /** Packet identifiers by offset, as far as {@link #remember} was told. */
    Map<Long, ArrayDeque<Integer>> unacknowledged() {
        return unacknowledged;
    }

    void remember(int packetId, long offset) {
        if (unacknowledged.isEmpty()) {
            unacknowledged = new HashMap<>();
        }
        unacknowledged.computeIfAbsent(offset, key -> new ArrayDeque<>()).add(packetId);
    }

    /** Packet identifier that the record had on the connection before (section 4.4), 0 if it had none. */
    int earlierPacketId(long offset) {
        ArrayDeque<Integer> ids = earlier.get(offset);
        Integer id = ids == null ? null : ids.poll();
        return id == null ? 0 : id;
    }
}
