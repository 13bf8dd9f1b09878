package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import java.util.Map;

/** What makes two bindings the same binding: everything but who made them. */
public record BindingId(Binding.End source, Binding.End destination, String key, Map<String, String> arguments) {
    /** The identity of {@code binding}. */
    public static BindingId of(Binding binding) {
        return new BindingId(binding.source(), binding.destination(), binding.key(), Map.copyOf(binding.arguments()));
    }
}
