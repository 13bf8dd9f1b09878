package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.topic.PersistentMap;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;

/** Leads each message to one of its bindings by chance, whatever the key ({@code x-random}, after RabbitMQ's plugin of this name). */
public final class RandomExchange implements Exchange {
    private final ExchangeInfo info;
    private final PersistentMap<BindingId, Binding.End> bound;
    private final List<Binding.End> destinations;

    RandomExchange(ExchangeInfo info) {
        this(info, PersistentMap.empty());
    }

    private RandomExchange(ExchangeInfo info, PersistentMap<BindingId, Binding.End> bound) {
        this.info = info;
        this.bound = bound;
        this.destinations = List.copyOf(bound.values());
    }

    @Override
    public ExchangeInfo info() {
        return info;
    }

    @Override
    public boolean dependsOnMessage() {
        return true;
    }

    @Override
    public Exchange with(Binding binding) {
        return new RandomExchange(info, bound.put(BindingId.of(binding), binding.destination()));
    }

    @Override
    public Exchange without(Binding binding) {
        return new RandomExchange(info, bound.remove(BindingId.of(binding)));
    }

    @Override
    public void route(Address address, Consumer<Binding.End> found) {
        if (!destinations.isEmpty()) {
            found.accept(destinations.get(ThreadLocalRandom.current().nextInt(destinations.size())));
        }
    }
}
