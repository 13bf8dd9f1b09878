package io.sluice.kafka.connection;

/** Serves the requests of one Kafka API. */
@FunctionalInterface
public interface ApiHandler {
    /**
     * Serves a request; called on the connection's event loop, must not block. Every request is answered once through {@link
     * Request#respond}, at once or later; a thrown exception becomes the request's error response.
     */
    void handle(Request request);
}
