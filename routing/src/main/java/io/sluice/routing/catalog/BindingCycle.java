package io.sluice.routing.catalog;

import io.sluice.routing.Binding;
import io.sluice.routing.catalog.CatalogRecord.Bound;
import io.sluice.routing.exchange.BindingId;
import io.sluice.routing.topic.PersistentMap;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds cycles of bindings. One that passes through a stream would append the message again at each turn, for ever. One of
 * exchanges alone is harmless, since routing enters an exchange once per message: clients may close it, as with RabbitMQ, but as
 * a configured route it is a mistake.
 */
final class BindingCycle {
    private BindingCycle() {}

    /** The cycle that {@code binding} would close and must not, its ends joined by arrows; null if none. */
    static @Nullable String closedBy(HostEdit host, Binding binding) {
        List<Binding.End> path = new ArrayList<>();
        path.add(binding.source());
        boolean stream = isStream(binding.source()) || binding.origin() != Binding.Origin.CLIENT;
        if (!reaches(host, binding.destination(), binding.source(), stream, new HashSet<>(), path)) {
            return null;
        }
        StringBuilder cycle = new StringBuilder();
        for (Binding.End end : path) {
            cycle.append(word(end)).append(" -> ");
        }
        return cycle.append(word(binding.source())).toString();
    }

    /** How an end is named in messages. */
    static String word(Binding.End end) {
        return end.kind().name().toLowerCase(Locale.ROOT) + ":" + end.name();
    }

    private record Seen(Binding.End end, boolean stream) {}

    /** {@code stream}: the path so far passed a stream, or need not. */
    private static boolean reaches(
            HostEdit host, Binding.End from, Binding.End goal, boolean stream, Set<Seen> seen, List<Binding.End> path) {
        if (from.equals(goal)) {
            return stream;
        }
        boolean passed = stream || isStream(from);
        if (!seen.add(new Seen(from, passed))) {
            return false;
        }
        path.add(from);
        PersistentMap<BindingId, Bound> bound = host.bySource.get(from);
        if (bound != null) {
            for (Bound next : bound.values()) {
                if (reaches(host, next.binding().destination(), goal, passed, seen, path)) {
                    return true;
                }
            }
        }
        path.remove(path.size() - 1);
        return false;
    }

    private static boolean isStream(Binding.End end) {
        return end.kind() == Binding.Kind.STREAM;
    }
}
