package io.sluice.server.metrics;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.routing.Broker;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The broker's meters. They read counters that exist anyway, at scrape time, so that counting costs a message nothing here. Names
 * are {@code sluice_*}; labels are protocol and virtual host, and queue where figures per queue are asked for. Thread-safe.
 */
public final class BrokerMetrics implements AutoCloseable {
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final JvmGcMetrics gc = new JvmGcMetrics();
    private volatile @Nullable QueueFigures queueFigures;

    public BrokerMetrics() {
        gc.bindTo(registry);
        new JvmMemoryMetrics().bindTo(registry);
        new JvmThreadMetrics().bindTo(registry);
        new ClassLoaderMetrics().bindTo(registry);
        new ProcessorMetrics().bindTo(registry);
        new FileDescriptorMetrics().bindTo(registry);
        new UptimeMetrics().bindTo(registry);
        ByteBufAllocatorMetric buffers = PooledByteBufAllocator.DEFAULT.metric();
        bytes("sluice.buffers.direct", "Direct memory of pooled buffers", buffers, metric -> metric.usedDirectMemory());
        bytes("sluice.buffers.heap", "Heap memory of pooled buffers", buffers, metric -> metric.usedHeapMemory());
    }

    /** Adds a gauge of bytes. */
    public <T> void bytes(String name, String description, T source, ToDoubleFunction<T> value) {
        Gauge.builder(name, source, value)
                .description(description)
                .baseUnit("bytes")
                .register(registry);
    }

    /**
     * Adds a gauge.
     *
     * @param name dotted name
     * @param source kept alive by the meter
     */
    public <T> void gauge(String name, String description, T source, ToDoubleFunction<T> read) {
        Gauge.builder(name, source, read)
                .description(description)
                .strongReference(true)
                .register(registry);
    }

    /** Adds a counter that counts elsewhere, with the protocol as its label. */
    public <T> void counter(String name, String description, String protocol, T source, ToDoubleFunction<T> read) {
        FunctionCounter.builder(name, source, read)
                .description(description)
                .tag("protocol", protocol)
                .register(registry);
    }

    /** Adds a gauge with the protocol as its label. */
    public <T> void gauge(String name, String description, String protocol, T source, ToDoubleFunction<T> read) {
        Gauge.builder(name, source, read)
                .description(description)
                .tag("protocol", protocol)
                .strongReference(true)
                .register(registry);
    }

    /** Adds the connections of a door: how many are open, and how many there were. */
    public ConnectionCount connections(String protocol) {
        ConnectionCount count = new ConnectionCount();
        gauge("sluice.connections", "Open connections", protocol, count, ConnectionCount::open);
        counter("sluice.connections.opened", "Connections accepted", protocol, count, ConnectionCount::total);
        return count;
    }

    /** Adds the totals of queues per virtual host, and the figures per queue behind {@link #scrapePerQueue}. */
    public void queues(Broker broker) {
        QueueFigures figures = new QueueFigures(broker);
        figures.bindTo(registry);
        queueFigures = figures;
    }

    /** The Prometheus text exposition. Reads every source; takes milliseconds, with a million queues a second. */
    public String scrape() {
        return registry.scrape();
    }

    /** Figures of each queue in the same format, of at most {@value QueueFigures#LISTED} queues; empty while starting. */
    public String scrapePerQueue() {
        QueueFigures figures = queueFigures;
        return figures == null ? "" : figures.perQueue();
    }

    @Override
    public void close() {
        gc.close();
        registry.close();
    }
}
