package io.sluice.server.it;

/** Traffic of one protocol against a running broker; survives the broker's death without an error. */
interface Load extends AutoCloseable {
    /** Publishes no more and waits for outstanding confirms; readers go on. */
    void stopPublishing() throws Exception;

    @Override
    void close() throws Exception;
}
