package io.sluice.shard;

import static io.sluice.shard.Invariant.A_BROWSER_SEES_WHAT_WAITS;

import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.QueueBrowser;
import io.sluice.shard.CoreSimulation.Client;
import io.sluice.shard.IndexReader.Held;
import io.sluice.shard.SimulatedConsumer.Every;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.Executor;

/** Somebody who looks at a queue, all at once or bit by bit. */
final class SimulatedBrowser implements DeliverySink {
    private final CoreSimulation world;
    private final Client client;
    private final List<String> shown = new ArrayList<>();
    private final RecordView view = new RecordView();
    private final int life;
    private boolean ended;
    private boolean closed;

    SimulatedBrowser(CoreSimulation world, Client client) {
        this.world = world;
        this.client = client;
        life = world.life;
    }

    /** Looks until it has seen all, while nothing else happens, or for a while beside everything else. */
    void look(boolean atRest) {
        int of = world.random.nextInt(3);
        Every selector = of < 2 ? null : new Every(of, world.random.nextInt(of));
        if (!atRest) {
            QueueBrowser browser =
                    client.ref.browse(CoreSimulation.CALLER, selector, world.random.nextInt(6), this, this::ended);
            if (world.random.nextBoolean()) {
                browser.credit(world.random.nextBoolean() ? 3 : Integer.MAX_VALUE);
            }
            if (world.random.nextInt(4) == 0) {
                browser.close();
            }
            return;
        }
        List<Held> held = world.index.held(client);
        long changes = world.model.changes();
        client.ref.browse(CoreSimulation.CALLER, selector, Integer.MAX_VALUE, this, this::ended);
        for (int i = 0; i < 10_000 && !ended && !closed; i++) {
            world.work();
        }
        boolean calm = !world.faulty && life == world.life && world.model.changes() == changes;
        A_BROWSER_SEES_WHAT_WAITS.hold(!calm || ended || closed, "queue %s shows no end", client.model.id);
        if (!calm || closed) {
            return;
        }
        long now = world.clock.millis();
        List<String> waiting = new ArrayList<>();
        List<String> over = new ArrayList<>();
        for (Held message : held) {
            if (!message.inFlight()
                    && !message.postponed()
                    && (selector == null || selector.wants(CoreModel.serial(message.value())))) {
                (message.expiry() != 0 && now > message.expiry() ? over : waiting).add(message.value());
            }
        }
        List<String> seen = new ArrayList<>(shown);
        seen.removeAll(over);
        A_BROWSER_SEES_WHAT_WAITS.hold(
                seen.equals(waiting), "queue %s shows %s, what waits is %s", client.model.id, seen, waiting);
    }

    private void ended() {
        ended = true;
    }

    @Override
    public Executor executor() {
        return world.loops.get(0);
    }

    @Override
    public void deliver(DeliveryBatch batch) {
        try {
            for (int i = 0; i < batch.size() && life == world.life; i++) {
                batch.record(i, view);
                shown.add(view.valueSlice().toString(StandardCharsets.UTF_8));
                A_BROWSER_SEES_WHAT_WAITS.hold(
                        batch.deliveryId(i) == shown.size() && new HashSet<>(shown).size() == shown.size(),
                        "queue %s shows a message twice: %s",
                        client.model.id,
                        shown);
                A_BROWSER_SEES_WHAT_WAITS.hold(
                        client.model.bySerial(CoreModel.serial(shown.get(shown.size() - 1))) != null,
                        "queue %s shows a message that was not sent there",
                        client.model.id);
            }
        } finally {
            batch.release();
        }
    }

    @Override
    public void failed(RuntimeException cause) {
        throw cause;
    }

    @Override
    public void closed(String reason) {
        closed = true;
    }
}
