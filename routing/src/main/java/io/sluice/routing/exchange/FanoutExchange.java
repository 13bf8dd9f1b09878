package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.topic.PersistentMap;
import java.util.function.Consumer;

/** Leads to all bound destinations, whatever the key. */
public final class FanoutExchange implements Exchange {
    private final ExchangeInfo info;
    private final PersistentMap<BindingId, Binding.End> bound;

    FanoutExchange(ExchangeInfo info) {
        this(info, PersistentMap.empty());
    }

    private FanoutExchange(ExchangeInfo info, PersistentMap<BindingId, Binding.End> bound) {
        this.info = info;
        this.bound = bound;
    }

    @Override
    public ExchangeInfo info() {
        return info;
    }

    @Override
    public Exchange with(Binding binding) {
        return new FanoutExchange(info, bound.put(BindingId.of(binding), binding.destination()));
    }

    @Override
    public Exchange without(Binding binding) {
        return new FanoutExchange(info, bound.remove(BindingId.of(binding)));
    }

    @Override
    public void route(Address address, Consumer<Binding.End> found) {
        bound.forEach((id, destination) -> found.accept(destination));
    }
}
