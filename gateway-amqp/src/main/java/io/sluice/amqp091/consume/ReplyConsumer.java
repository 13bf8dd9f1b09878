package io.sluice.amqp091.consume;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.message.RecordView;
import io.sluice.queue.QueueRef;
import io.sluice.queue.TargetSet;
import io.sluice.routing.DirectMessage;
import io.sluice.routing.Route;
import io.sluice.routing.Subscriber;
import io.sluice.routing.SubscriberMatch;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The consumer of a channel's direct replies. Nothing is acknowledged and nothing is kept for later. Confined to the loop. */
final class ReplyConsumer implements Subscriber {
    private final ReplyConsumers channel;
    private final String name;
    private final String tag;
    private final byte[] tagBytes;
    private final RecordView record = new RecordView();
    private boolean stopped;

    ReplyConsumer(ReplyConsumers channel, String name, String tag) {
        this.channel = channel;
        this.name = name;
        this.tag = tag;
        this.tagBytes = tag.getBytes(UTF_8);
    }

    /** Name that requests carry as their reply-to. */
    String name() {
        return name;
    }

    String tag() {
        return tag;
    }

    byte[] tagBytes() {
        return tagBytes;
    }

    Route route() {
        SubscriberMatch match = new SubscriberMatch(this, 0, false, false, new int[0]);
        return new Route(
                TargetSet.EMPTY,
                new Route.DirectGroup[] {new Route.DirectGroup(executor(), new SubscriberMatch[] {match})});
    }

    void stop() {
        stopped = true;
    }

    @Override
    public String clientId() {
        return name;
    }

    @Override
    public Executor executor() {
        return channel.executor();
    }

    @Override
    public @Nullable QueueRef queue() {
        return null;
    }

    @Override
    public void deliver(DirectMessage message, SubscriberMatch match) {
        if (!stopped) {
            message.record(record);
            channel.deliver(this, record);
        }
    }

    @Override
    public void flush() {
        // the channel's output leaves at the end of the loop's turn
    }
}
