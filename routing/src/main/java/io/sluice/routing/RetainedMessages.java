package io.sluice.routing;

import java.util.concurrent.Executor;
import java.util.function.Consumer;

/** Retained MQTT messages: the newest of each topic, in a compacted stream with an index in memory. Thread-safe. */
public interface RetainedMessages {
    /**
     * Looks up the messages whose topic matches the filter; each is handed to {@code each} on {@code executor}, then {@code
     * done} runs there. Messages are borrowed for the call.
     */
    void match(String topicFilter, Executor executor, Consumer<DirectMessage> each, Runnable done);

    /** Number of retained messages. */
    int size();
}
