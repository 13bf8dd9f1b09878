package io.sluice.routing.exchange;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.message.MessageHeaders;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.topic.PersistentMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Leads each message to one destination, equal hashes to the same one ({@code x-consistent-hash}, after RabbitMQ's plugin of this
 * name). What is hashed is the routing key, or the header or property that the exchange's arguments name; the binding key is the
 * destination's weight. By weighted rendezvous hashing (Thaler and Ravishankar, 1998; weights by Schindelhauer and Schomaker,
 * 2005): a new binding takes its share from all others and moves nothing between them, and the choice is the same after a
 * restart.
 */
public final class HashExchange implements Exchange {
    private static final String HEADER = "hash-header";
    private static final String PROPERTY = "hash-property";
    private static final int MAX_WEIGHT = 10_000;
    private static final Map<String, byte[]> PROPERTIES = Map.of(
            "correlation_id", MessageHeaders.CORRELATION_ID,
            "message_id", MessageHeaders.MESSAGE_ID,
            "timestamp", MessageHeaders.TIMESTAMP);

    /** A destination with the weights of its bindings, added up, and the hash of its name. */
    private record Weighted(Binding.End destination, long weight, long hash) {
        Weighted plus(long more) {
            return new Weighted(destination, weight + more, hash);
        }
    }

    private final ExchangeInfo info;
    /** The weight of each binding. */
    private final PersistentMap<BindingId, Integer> bound;

    private final PersistentMap<Binding.End, Weighted> destinations;
    private final @Nullable String header;
    private final @Nullable String property;

    HashExchange(ExchangeInfo info) {
        this(info, PersistentMap.empty(), PersistentMap.empty());
    }

    private HashExchange(
            ExchangeInfo info,
            PersistentMap<BindingId, Integer> bound,
            PersistentMap<Binding.End, Weighted> destinations) {
        this.info = info;
        this.bound = bound;
        this.destinations = destinations;
        this.header = info.arguments().get(HEADER);
        String named = info.arguments().get(PROPERTY);
        byte[] canonical = named == null ? null : PROPERTIES.get(named);
        this.property = canonical == null ? null : new String(canonical, UTF_8);
    }

    /** Why an exchange of this type cannot have these arguments, in RabbitMQ's words; null if it can. */
    public static @Nullable String refusal(Map<String, String> arguments) {
        String property = arguments.get(PROPERTY);
        if (property == null) {
            return null;
        }
        if (arguments.containsKey(HEADER)) {
            return "hash-header and hash-property are mutually exclusive";
        }
        return PROPERTIES.containsKey(property) ? null : "Unsupported property: " + property;
    }

    @Override
    public ExchangeInfo info() {
        return info;
    }

    @Override
    public boolean dependsOnMessage() {
        return header != null || property != null;
    }

    @Override
    public @Nullable RoutingException refusal(Binding binding) {
        String key = binding.key();
        String why = null;
        if (!key.matches("[+-]?[0-9]{1,9}")) {
            why = "The binding key must be an integer: <<\"" + key + "\">>";
        } else if (Integer.parseInt(key) < 1) {
            why = "The binding key must be greater than 0";
        } else if (Integer.parseInt(key) > MAX_WEIGHT) {
            why = "The binding key must not exceed " + MAX_WEIGHT;
        }
        return why == null ? null : new RoutingException(Reason.PRECONDITION_FAILED, why);
    }

    @Override
    public Exchange with(Binding binding) {
        BindingId id = BindingId.of(binding);
        if (bound.get(id) != null) {
            return this;
        }
        Binding.End end = binding.destination();
        int weight = Integer.parseInt(binding.key());
        Weighted present = destinations.get(end);
        Weighted now =
                present == null ? new Weighted(end, weight, hash(end.kind() + ":" + end.name())) : present.plus(weight);
        return new HashExchange(info, bound.put(id, weight), destinations.put(end, now));
    }

    @Override
    public Exchange without(Binding binding) {
        BindingId id = BindingId.of(binding);
        Integer weight = bound.get(id);
        Weighted present = destinations.get(binding.destination());
        if (weight == null || present == null) {
            return this;
        }
        Weighted now = present.plus(-weight);
        return new HashExchange(
                info,
                bound.remove(id),
                now.weight() == 0
                        ? destinations.remove(binding.destination())
                        : destinations.put(binding.destination(), now));
    }

    @Override
    public void route(Address address, Consumer<Binding.End> found) {
        if (destinations.isEmpty()) {
            return;
        }
        Choice choice = new Choice(hash(hashed(address)));
        destinations.forEach(choice);
        if (choice.best != null) {
            found.accept(choice.best);
        }
    }

    private String hashed(Address address) {
        if (header == null && property == null) {
            return address.key();
        }
        String value = header != null
                ? address.fields().header(header)
                : address.fields().property(property == null ? "" : property);
        return value == null ? "" : value;
    }

    /** The destination of the highest score so far. */
    private static final class Choice implements java.util.function.BiConsumer<Binding.End, Weighted> {
        private final long hash;
        private double bestScore;
        private Binding.@Nullable End best;

        Choice(long hash) {
            this.hash = hash;
        }

        @Override
        public void accept(Binding.End destination, Weighted candidate) {
            // uniform in (0, 1)
            double uniform = ((mix(hash ^ candidate.hash()) >>> 11) + 0.5) * 0x1.0p-53;
            double score = candidate.weight() / -Math.log(uniform);
            if (best == null || score > bestScore) {
                bestScore = score;
                best = candidate.destination();
            }
        }
    }

    /** FNV-1a over UTF-8, mixed. */
    private static long hash(String text) {
        long hash = 0xcbf29ce484222325L;
        for (byte b : text.getBytes(UTF_8)) {
            hash = (hash ^ b & 0xff) * 0x100000001b3L;
        }
        return mix(hash);
    }

    /** The finalizer of SplitMix64. */
    private static long mix(long hash) {
        long z = (hash ^ hash >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}
