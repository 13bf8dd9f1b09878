package io.sluice.kafka.connection;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** What handlers keep for a connection, by type, and what is to be done when it closes. Confined to its event loop. */
public final class ConnectionState {
    private final Map<Class<?>, Object> values = new HashMap<>();
    private final List<Runnable> onClose = new ArrayList<>();

    ConnectionState() {}

    /** The value of this type, made on first use. */
    public <T> T get(Class<T> type, Supplier<T> initial) {
        Object value = values.get(type);
        if (value == null) {
            value = initial.get();
            values.put(type, value);
        }
        return type.cast(value);
    }

    /** Runs {@code action} on the loop once the connection is closed. */
    public void onClose(Runnable action) {
        onClose.add(action);
    }

    /** Takes back an {@link #onClose}; the same object must be given. */
    public void forget(Runnable action) {
        onClose.remove(action);
    }

    void closed() {
        for (Runnable action : List.copyOf(onClose)) {
            action.run();
        }
        onClose.clear();
        values.clear();
    }
}
