package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.topic.PersistentMap;
import java.util.function.Consumer;

/** Leads to the destinations that are bound with the very routing key. */
public final class DirectExchange implements Exchange {
    private final ExchangeInfo info;
    private final PersistentMap<String, PersistentMap<BindingId, Binding.End>> byKey;

    DirectExchange(ExchangeInfo info) {
        this(info, PersistentMap.empty());
    }

    private DirectExchange(ExchangeInfo info, PersistentMap<String, PersistentMap<BindingId, Binding.End>> byKey) {
        this.info = info;
        this.byKey = byKey;
    }

    @Override
    public ExchangeInfo info() {
        return info;
    }

    @Override
    public Exchange with(Binding binding) {
        PersistentMap<BindingId, Binding.End> bound = byKey.get(binding.key());
        PersistentMap<BindingId, Binding.End> base = bound == null ? PersistentMap.empty() : bound;
        return new DirectExchange(
                info, byKey.put(binding.key(), base.put(BindingId.of(binding), binding.destination())));
    }

    @Override
    public Exchange without(Binding binding) {
        PersistentMap<BindingId, Binding.End> bound = byKey.get(binding.key());
        if (bound == null) {
            return this;
        }
        PersistentMap<BindingId, Binding.End> left = bound.remove(BindingId.of(binding));
        return new DirectExchange(info, left.isEmpty() ? byKey.remove(binding.key()) : byKey.put(binding.key(), left));
    }

    @Override
    public void route(Address address, Consumer<Binding.End> found) {
        PersistentMap<BindingId, Binding.End> bound = byKey.get(address.key());
        if (bound != null) {
            bound.forEach((id, destination) -> found.accept(destination));
        }
    }
}
