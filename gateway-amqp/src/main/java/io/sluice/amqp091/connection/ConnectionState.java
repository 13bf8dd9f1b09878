package io.sluice.amqp091.connection;

/**
 * States of a connection and what leaves them (AMQP 0-9-1, section 2.2.4):
 *
 * <pre>
 * AwaitStartOk --start-ok--> Authenticating --accepted--> AwaitTuneOk --tune-ok--> AwaitOpen --open--> Open
 * any but Closed --hard error, forced close--> Closing --close-ok or timeout--> Closed
 * any --close, socket closed, broken frame before authentication--> Closed
 * </pre>
 */
sealed interface ConnectionState {
    /** {@code connection.start} was sent. */
    record AwaitStartOk() implements ConnectionState {}

    /** Credentials are with the authenticator; no frame is legal. */
    record Authenticating() implements ConnectionState {}

    /** {@code connection.tune} was sent. */
    record AwaitTuneOk() implements ConnectionState {}

    record AwaitOpen() implements ConnectionState {}

    record Open() implements ConnectionState {}

    /** {@code connection.close} was sent; all but close and close-ok is dropped. */
    record Closing() implements ConnectionState {}

    record Closed() implements ConnectionState {}
}
