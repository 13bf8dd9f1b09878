package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.topic.PatternTrie;
import io.sluice.routing.topic.PatternTrie.Syntax;
import java.util.function.Consumer;

/**
 * Leads to the destinations whose pattern matches the words of the key. A binding made from an MQTT filter carries it as
 * argument {@link #MQTT_FILTER} and is matched by it, so that {@code $} names and literal {@code *} levels keep MQTT's rules.
 */
public final class TopicExchange implements Exchange {
    /** Binding argument: the MQTT topic filter that the binding was made from. */
    public static final String MQTT_FILTER = "sl.mqtt-filter";

    private final ExchangeInfo info;
    private final PatternTrie<Binding.End> patterns;
    private final PatternTrie<Binding.End> filters;

    TopicExchange(ExchangeInfo info) {
        this(info, PatternTrie.empty(Syntax.AMQP), PatternTrie.empty(Syntax.MQTT));
    }

    private TopicExchange(ExchangeInfo info, PatternTrie<Binding.End> patterns, PatternTrie<Binding.End> filters) {
        this.info = info;
        this.patterns = patterns;
        this.filters = filters;
    }

    @Override
    public ExchangeInfo info() {
        return info;
    }

    @Override
    public Exchange with(Binding binding) {
        String filter = binding.arguments().get(MQTT_FILTER);
        BindingId id = BindingId.of(binding);
        return filter == null
                ? new TopicExchange(info, patterns.with(binding.key(), id, binding.destination()), filters)
                : new TopicExchange(info, patterns, filters.with(filter, id, binding.destination()));
    }

    @Override
    public Exchange without(Binding binding) {
        String filter = binding.arguments().get(MQTT_FILTER);
        BindingId id = BindingId.of(binding);
        return filter == null
                ? new TopicExchange(info, patterns.without(binding.key(), id), filters)
                : new TopicExchange(info, patterns, filters.without(filter, id));
    }

    @Override
    public void route(Address address, Consumer<Binding.End> found) {
        if (!patterns.isEmpty()) {
            patterns.match(address.words(), found);
        }
        if (!filters.isEmpty()) {
            filters.match(address.levels(), found);
        }
    }
}
