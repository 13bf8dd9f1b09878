package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import java.util.function.Consumer;

/** An exchange with its bindings (AMQP 0-9-1, section 3.1.3). Immutable: changes answer a new exchange. */
public sealed interface Exchange permits DirectExchange, FanoutExchange, TopicExchange, HeadersExchange {
    ExchangeInfo info();

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
        };
    }
}
