package io.sluice.amqp091.connection;

import io.netty.buffer.ByteBuf;
import io.netty.util.collection.IntObjectHashMap;
import io.sluice.amqp091.session.Session;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Channels that wait for the catalog or a queue, and the frames kept for them meanwhile, so that methods of a channel take effect
 * in wire order; when more than {@value #HELD_BYTES} bytes are kept the connection is not read. Confined to its loop.
 */
final class ChannelWaits {
    private static final Logger LOG = LoggerFactory.getLogger(ChannelWaits.class);
    /** Frames kept, bytes. */
    private static final int HELD_BYTES = 256 * 1024;

    private final AmqpConnection connection;
    private final IntObjectHashMap<AmqpChannel> channels;
    private int busyChannels;
    private int heldBytes;
    /** Answers that the connection itself waits for. */
    private int waiting;

    private boolean replaying;

    ChannelWaits(AmqpConnection connection, IntObjectHashMap<AmqpChannel> channels) {
        this.connection = connection;
        this.channels = channels;
    }

    /** True if a channel waits. */
    boolean areAny() {
        return busyChannels > 0;
    }

    /** True if nothing that is waited for forbids to read. */
    boolean allowReading() {
        return waiting == 0 && heldBytes <= HELD_BYTES;
    }

    /** True while kept frames are taken up: what is read must not overtake them. */
    boolean areReplayed() {
        return replaying;
    }

    /** True if the frame's channel waits, and the frame with it. */
    boolean keeps(int type, int number, ByteBuf payload) {
        AmqpChannel channel = busyChannels == 0 || number == 0 ? null : channels.get(number);
        if (channel == null || !channel.mustHold()) {
            return false;
        }
        if (!channel.declaredBehind(type, payload)) {
            heldBytes += channel.hold(type, payload);
            if (heldBytes > HELD_BYTES) {
                connection.updateReading();
            }
        }
        return true;
    }

    /** See {@link Session#await}. */
    <T extends @Nullable Object> void await(int number, int method, CompletionStage<T> stage, Consumer<T> then) {
        AmqpChannel channel = channels.get(number);
        if (channel == null) {
            waiting++;
        } else if (channel.startWaiting()) {
            busyChannels++;
        }
        connection.updateReading();
        stage.whenComplete((value, failure) -> {
            try {
                connection.executor().execute(() -> awaited(channel, method, value, failure, then));
            } catch (RejectedExecutionException e) {
                LOG.debug("{}: event loop is gone", connection);
            }
        });
    }

    private <T extends @Nullable Object> void awaited(
            @Nullable AmqpChannel channel, int method, T value, @Nullable Throwable failure, Consumer<T> then) {
        if (connection.isEnding()) {
            return;
        }
        int number = channel == null ? 0 : channel.number();
        try {
            if (channel == null || channel.isOpen()) {
                if (failure != null) {
                    throw Failures.of(failure);
                }
                then.accept(value);
            }
        } catch (RuntimeException e) {
            connection.fail(number, method, e);
        }
        if (channel == null) {
            waiting--;
        } else if (channel.stopWaiting()) {
            goOn(channel);
        }
        if (connection.closeIfRequested()) {
            return;
        }
        connection.updateReading();
        connection.endOfRead();
    }

    /** Takes up the frames that came while the channel waited. */
    private void goOn(AmqpChannel channel) {
        ByteBuf frames = channel.takeHeld();
        if (frames != null) {
            replaying = true;
            boolean kept = replay(channel.number(), frames);
            replaying = false;
            if (!kept) {
                frames.release();
            }
        }
        if (!channel.isWaiting()) {
            idle(channel);
        }
    }

    /** True if a channel keeps the rest. */
    private boolean replay(int number, ByteBuf frames) {
        while (frames.isReadable() && connection.state() instanceof ConnectionState.Open) {
            AmqpChannel present = channels.get(number);
            int start = frames.readerIndex();
            int type = frames.readUnsignedByte();
            int size = frames.readInt();
            ByteBuf payload = frames.readSlice(size);
            boolean waits = present != null && present.isWaiting();
            if (waits && !present.declaredBehind(type, payload)) {
                present.putBack(frames.readerIndex(start));
                return true;
            }
            heldBytes -= size + AmqpChannel.HELD_OVERHEAD;
            if (!waits) {
                connection.handle(type, number, payload);
            }
        }
        return false;
    }

    /** Nothing is kept for a channel any more. */
    void idle(AmqpChannel channel) {
        if (channel.becomeIdle()) {
            busyChannels--;
        }
    }

    /** Nothing is kept any more. */
    void clear() {
        heldBytes = 0;
    }
}
