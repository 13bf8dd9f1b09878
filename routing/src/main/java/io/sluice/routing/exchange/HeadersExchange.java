package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import java.util.function.Consumer;

/** A headers exchange may be looked up; binding it and publishing to it are refused as not implemented. */
public final class HeadersExchange implements Exchange {
    private final ExchangeInfo info;

    HeadersExchange(ExchangeInfo info) {
        this.info = info;
    }

    @Override
    public ExchangeInfo info() {
        return info;
    }

    @Override
    public Exchange with(Binding binding) {
        throw refusal();
    }

    @Override
    public Exchange without(Binding binding) {
        throw refusal();
    }

    @Override
    public void route(Address address, Consumer<Binding.End> found) {
        throw refusal();
    }

    private RoutingException refusal() {
        return new RoutingException(
                Reason.NOT_IMPLEMENTED, "exchange '" + info.name() + "': headers exchanges are not implemented");
    }
}
