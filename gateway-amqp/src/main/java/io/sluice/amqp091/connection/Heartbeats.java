package io.sluice.amqp091.connection;

import io.netty.channel.ChannelHandlerContext;
import io.netty.util.concurrent.Future;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.session.Output;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Heartbeats of one connection (AMQP 0-9-1, section 4.2.7): one frame per half interval without other output; a peer that is
 * silent for two intervals is gone, unless the broker itself has stopped reading it. Confined to the loop.
 */
final class Heartbeats {
    private static final int HALVES_UNTIL_DEAD = 4;

    private final ChannelHandlerContext ctx;
    private final Output output;
    private final Runnable dead;
    private @Nullable Future<?> timer;
    private boolean read;
    private int silentHalves;

    Heartbeats(ChannelHandlerContext ctx, Output output, Runnable dead) {
        this.ctx = ctx;
        this.output = output;
        this.dead = dead;
    }

    void start(int intervalSeconds) {
        if (intervalSeconds > 0) {
            long half = intervalSeconds * 500L;
            timer = ctx.executor().scheduleAtFixedRate(this::tick, half, half, TimeUnit.MILLISECONDS);
        }
    }

    /** Something came in. */
    void onRead() {
        read = true;
    }

    void stop() {
        if (timer != null) {
            timer.cancel(false);
        }
    }

    private void tick() {
        if (!output.takeWritten()) {
            FrameWriter.heartbeat(output.buffer());
            output.flush();
            output.takeWritten();
        }
        if (read || !ctx.channel().config().isAutoRead()) {
            read = false;
            silentHalves = 0;
        } else if (++silentHalves >= HALVES_UNTIL_DEAD) {
            stop();
            dead.run();
        }
    }
}
