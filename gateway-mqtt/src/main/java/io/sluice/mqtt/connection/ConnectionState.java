package io.sluice.mqtt.connection;

import io.sluice.access.Caller;
import io.sluice.mqtt.session.Session;
import io.sluice.routing.VirtualHost;

/**
 * States of a connection.
 *
 * <pre>
 *  AwaitingConnect --CONNECT--> Authenticating --accepted--> Opening --session there--> Connected
 *        |                           |                          |                          |
 *        +---- timeout, refusal, violation, take-over, DISCONNECT, lost peer, shutdown ----+--> Closed
 * </pre>
 */
sealed interface ConnectionState {
    /** No CONNECT yet; ended by the connect timeout. */
    record AwaitingConnect() implements ConnectionState {}

    /** The authenticator is asked; input is held back. */
    record Authenticating(ConnectRequest request) implements ConnectionState {}

    /** An earlier connection of the client id leaves, then the session is opened; input is held back. */
    record Opening(ConnectRequest request, Caller caller, SessionRegistry.Claim claim) implements ConnectionState {}

    /** CONNACK is sent. */
    record Connected(
            ConnectRequest request, Caller caller, VirtualHost vhost, SessionRegistry.Claim claim, Session session)
            implements ConnectionState {}

    /** Nothing is read or sent any more. */
    record Closed() implements ConnectionState {}
}
