package io.sluice.bench;

import io.sluice.routing.Binding;
import io.sluice.routing.Binding.End;
import io.sluice.routing.Binding.Kind;
import io.sluice.routing.Binding.Origin;
import io.sluice.routing.ExchangeInfo;
import java.util.Map;

/** An exchange and how it is bound. Binding {@code i} is found by {@link #key key(i)}. */
public enum Shape {
    /** As many keys as bindings. */
    DIRECT(ExchangeInfo.Type.DIRECT),
    /** Every binding is found by every key. */
    FANOUT(ExchangeInfo.Type.FANOUT),
    /** A mixture in equal parts: {@code site.i.temperature}, {@code site.i.*}, {@code site.i.#}, {@code *.i.temperature}. */
    TOPIC(ExchangeInfo.Type.TOPIC),
    /** {@code #.i}: all words of a key are tried as the one after {@code #}. */
    TOPIC_INNER_HASH(ExchangeInfo.Type.TOPIC);

    /** Different queues that bindings lead to, at most. */
    static final int MOST_QUEUES = 1_000;

    private final ExchangeInfo.Type type;

    Shape(ExchangeInfo.Type type) {
        this.type = type;
    }

    /** An exchange of this shape, without bindings. */
    ExchangeInfo exchange() {
        return new ExchangeInfo(name(), type, false, false, false, Map.of());
    }

    /** A key that finds binding {@code i}. */
    String key(int i) {
        return this == TOPIC_INNER_HASH ? "site.line." + i : "site." + i + ".temperature";
    }

    /** Binding {@code i}. */
    Binding binding(int i) {
        return new Binding(
                new End(Kind.EXCHANGE, name()),
                new End(Kind.QUEUE, queue(i % MOST_QUEUES)),
                pattern(i),
                Map.of(),
                Origin.CLIENT);
    }

    static String queue(int i) {
        return "queue-" + i;
    }

    private String pattern(int i) {
        return switch (this) {
            case DIRECT, FANOUT -> key(i);
            case TOPIC_INNER_HASH -> "#." + i;
            case TOPIC ->
                switch (i % 4) {
                    case 0 -> key(i);
                    case 1 -> "site." + i + ".*";
                    case 2 -> "site." + i + ".#";
                    default -> "*." + i + ".temperature";
                };
        };
    }
}
