package io.sluice.server.metrics;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueStats;
import io.sluice.routing.Broker;
import io.sluice.routing.VirtualHost;
import java.util.Collection;
import java.util.function.ToLongFunction;

/**
 * Figures of queues, read from the snapshots that queues keep of themselves. Totals per virtual host come from one walk over its
 * queues per scrape; figures of single queues are a page of their own, so that a million queues do not become a million series
 * unasked. Thread-safe.
 */
final class QueueFigures {
    /** Queues listed one by one, the first by name of each virtual host. */
    static final int LISTED = 1_000;

    private static final long FRESH_NANOS = 500_000_000L;

    private final Broker broker;

    QueueFigures(Broker broker) {
        this.broker = broker;
    }

    private record Totals(long takenAt, long queues, long ready, long unacked, long consumers) {}

    /** The totals of one virtual host, walked anew when they are older than a scrape takes. */
    private final class Host {
        private final VirtualHost host;
        private Totals totals = new Totals(0, 0, 0, 0, 0);

        Host(VirtualHost host) {
            this.host = host;
            totals = walk();
        }

        synchronized Totals totals() {
            if (broker.clock().nanoTime() - totals.takenAt() > FRESH_NANOS) {
                totals = walk();
            }
            return totals;
        }

        private Totals walk() {
            Collection<QueueRef> queues = host.table().queues();
            long ready = 0;
            long unacked = 0;
            long consumers = 0;
            for (QueueRef queue : queues) {
                QueueStats stats = queue.stats();
                ready += stats.ready();
                unacked += stats.unacked();
                consumers += stats.consumers();
            }
            return new Totals(broker.clock().nanoTime(), queues.size(), ready, unacked, consumers);
        }
    }

    void bindTo(MeterRegistry registry) {
        for (VirtualHost virtualHost : broker.virtualHosts()) {
            Host host = new Host(virtualHost);
            add(registry, host, "sluice.queues", "Queues", Totals::queues);
            add(registry, host, "sluice.queues.messages.ready", "Messages that wait in queues", Totals::ready);
            add(
                    registry,
                    host,
                    "sluice.queues.messages.unacked",
                    "Messages delivered from queues and not settled",
                    Totals::unacked);
            add(registry, host, "sluice.queues.consumers", "Consumers of queues", Totals::consumers);
        }
    }

    private static void add(
            MeterRegistry registry, Host host, String name, String description, ToLongFunction<Totals> read) {
        Gauge.builder(name, host, source -> read.applyAsLong(source.totals()))
                .description(description)
                .tag("vhost", host.host.name())
                .strongReference(true)
                .register(registry);
    }

    /** Prometheus text with the figures of single queues. */
    String perQueue() {
        StringBuilder out = new StringBuilder(4096);
        family(out, "sluice_queue_messages_ready", "Messages that wait in the queue", QueueStats::ready);
        family(out, "sluice_queue_messages_unacked", "Messages delivered and not settled", QueueStats::unacked);
        family(out, "sluice_queue_consumers", "Consumers of the queue", QueueStats::consumers);
        head(out, "sluice_queues_not_listed", "Queues left out of this page");
        for (VirtualHost host : broker.virtualHosts()) {
            int left = Math.max(0, host.table().queues().size() - LISTED);
            out.append("sluice_queues_not_listed{vhost=\"");
            label(out, host.name());
            out.append("\"} ").append(left).append('\n');
        }
        return out.toString();
    }

    private void family(StringBuilder out, String name, String help, ToLongFunction<QueueStats> read) {
        head(out, name, help);
        for (VirtualHost host : broker.virtualHosts()) {
            int listed = 0;
            for (QueueRef queue : host.table().queues()) {
                if (listed++ == LISTED) {
                    break;
                }
                out.append(name).append("{vhost=\"");
                label(out, host.name());
                out.append("\",queue=\"");
                label(out, queue.spec().name());
                out.append("\"} ").append(read.applyAsLong(queue.stats())).append('\n');
            }
        }
    }

    private static void head(StringBuilder out, String name, String help) {
        out.append("# HELP ").append(name).append(' ').append(help).append('\n');
        out.append("# TYPE ").append(name).append(" gauge\n");
    }

    /** A label value, escaped (Prometheus text format 0.0.4). */
    private static void label(StringBuilder out, String value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '\\' -> out.append("\\\\");
                case '"' -> out.append("\\\"");
                case '\n' -> out.append("\\n");
                default -> out.append(c);
            }
        }
    }
}
