package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.RoutingException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** An exchange with its bindings (AMQP 0-9-1, section 3.1.3). Immutable: changes answer a new exchange. */
public sealed interface Exchange
        permits DirectExchange, FanoutExchange, TopicExchange, HeadersExchange, HashExchange, RandomExchange {
    ExchangeInfo info();

    /** True if two messages of one address may go different ways. */
    default boolean dependsOnMessage() {
        return false;
    }

    /** Why the exchange does not take the binding, null if it does. */
    default @Nullable RoutingException refusal(Binding binding) {
        return null;
    }

    /** This exchange with a binding more. */
    Exchange with(Binding binding);

    /** This exchange without the binding. */
    Exchange without(Binding binding);

    /** Reports the destinations for an address; one may be reported more than once. */
    void route(Address address, Consumer<Binding.End> found);

    /** A new exchange without bindings. */
    static Exchange of(ExchangeInfo info) {
        return switch (info.type()) {
            case DIRECT -> new DirectExchange(info);
            case FANOUT -> new FanoutExchange(info);
            case TOPIC -> new TopicExchange(info);
            case HEADERS -> new HeadersExchange(info);
            case CONSISTENT_HASH -> new HashExchange(info);
            case RANDOM -> new RandomExchange(info);
        };
    }
}
