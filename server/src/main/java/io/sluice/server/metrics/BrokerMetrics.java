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
import java.util.function.ToDoubleFunction;

/**
 * The broker's meters. They read counters that exist anyway, at scrape time, so that counting costs a message nothing here. Names
 * are {@code sluice_*}; labels are protocol, virtual host and queue only. Thread-safe.
 */
public final class BrokerMetrics implements AutoCloseable {
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final JvmGcMetrics gc = new JvmGcMetrics();

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

    private <T> void bytes(String name, String description, T source, ToDoubleFunction<T> value) {
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

    /** The Prometheus text exposition. Reads every source; takes milliseconds. */
    public String scrape() {
        return registry.scrape();
    }

    @Override
    public void close() {
        gc.close();
        registry.close();
    }
}
