package io.sluice.kafka.connection;

/** The peer broke the framing or sent what is no request; its connection is closed, as Kafka has no error for this. */
final class MalformedRequestException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    MalformedRequestException(String message) {
        super(message, null, false, false);
    }
}
