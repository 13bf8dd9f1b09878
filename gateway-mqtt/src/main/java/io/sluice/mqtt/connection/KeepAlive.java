package io.sluice.mqtt.connection;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import io.sluice.io.Clock;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Ends a connection that is silent for one and a half times its keep-alive (MQTT 5.0 section 3.1.2.10). Time in which the broker
 * itself does not read does not count. One timer that looks at the last read, not one per read. Confined to the connection's
 * event loop.
 */
final class KeepAlive {
    /** The connection. */
    interface Host {
        /** True while the broker does not read from it. */
        boolean isHeld();

        /** Nothing came in time. */
        void silent(long millis);
    }

    private final Host host;
    private final Clock clock;
    private final EventLoop loop;
    private final long limitNanos;
    private long lastNanos;
    private @Nullable ScheduledFuture<?> timer;

    /**
     * Starts.
     *
     * @param seconds keep-alive, 0 = none
     */
    KeepAlive(Host host, Clock clock, EventLoop loop, int seconds) {
        this.host = host;
        this.clock = clock;
        this.loop = loop;
        this.limitNanos = seconds * 1_500_000_000L;
        this.lastNanos = clock.nanoTime();
        if (limitNanos > 0) {
            timer = loop.schedule(this::check, limitNanos, TimeUnit.NANOSECONDS);
        }
    }

    /** The keep-alive that holds: MQTT 5.0 clients are told a shorter one if they ask for more than {@code most}, or for none. */
    static int seconds(ConnectRequest asked, int most) {
        int wanted = asked.keepAliveSeconds();
        boolean bounded = asked.mqtt5() && most < 65_535;
        return bounded && (wanted == 0 || wanted > most) ? most : wanted;
    }

    /** Something was read, or the broker reads again. */
    void heard() {
        lastNanos = clock.nanoTime();
    }

    void stop() {
        ScheduledFuture<?> t = timer;
        timer = null;
        if (t != null) {
            t.cancel(false);
        }
    }

    private void check() {
        if (timer == null) {
            return;
        }
        long left = limitNanos - (clock.nanoTime() - lastNanos);
        if (host.isHeld()) {
            left = limitNanos;
        }
        if (left > 0) {
            timer = loop.schedule(this::check, left, TimeUnit.NANOSECONDS);
        } else {
            host.silent(TimeUnit.NANOSECONDS.toMillis(limitNanos - left));
        }
    }
}
