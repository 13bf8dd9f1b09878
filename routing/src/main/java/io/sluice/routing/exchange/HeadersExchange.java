package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.topic.PersistentMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Leads to the destinations whose arguments match the message's headers (AMQP 0-9-1, section 3.1.3.4), as RabbitMQ reads it: {@code
 * x-match} is {@code all} (also if it is missing) or {@code any}, which pass over arguments that start with {@code x-}, or {@code
 * all-with-x} or {@code any-with-x}, which do not. An argument without a value asks for the header to be there.
 */
public final class HeadersExchange implements Exchange {
    private final ExchangeInfo info;
    private final PersistentMap<BindingId, HeaderMatch> bound;

    HeadersExchange(ExchangeInfo info) {
        this(info, PersistentMap.empty());
    }

    private HeadersExchange(ExchangeInfo info, PersistentMap<BindingId, HeaderMatch> bound) {
        this.info = info;
        this.bound = bound;
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
    public @Nullable RoutingException refusal(Binding binding) {
        String why = HeaderMatch.refusal(binding.arguments());
        return why == null ? null : new RoutingException(Reason.PRECONDITION_FAILED, why);
    }

    @Override
    public Exchange with(Binding binding) {
        return new HeadersExchange(info, bound.put(BindingId.of(binding), HeaderMatch.of(binding)));
    }

    @Override
    public Exchange without(Binding binding) {
        return new HeadersExchange(info, bound.remove(BindingId.of(binding)));
    }

    @Override
    public void route(Address address, Consumer<Binding.End> found) {
        MessageFields fields = address.fields();
        bound.forEach((id, match) -> {
            if (match.matches(fields)) {
                found.accept(match.destination());
            }
        });
    }
}
