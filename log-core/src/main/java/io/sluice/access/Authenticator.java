package io.sluice.access;

import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Turns credentials into a {@link Caller}. Thread-safe; never blocks the calling event loop. */
public interface Authenticator {
    /**
     * What a client presented.
     *
     * @param protocol {@code mqtt}, {@code amqp} or {@code kafka}
     * @param user user name, null if none was given; may carry the virtual host as {@code vhost:user} for MQTT and Kafka
     * @param password password bytes, null if none was given
     * @param vhost virtual host named by the protocol itself (AMQP connection.open), null if the protocol has none
     * @param remote peer address
     * @param local local address that the peer reached
     */
    @SuppressWarnings("ArrayRecordComponent") // read once by the authenticator; never compared or hashed
    record Credentials(
            String protocol,
            @Nullable String user,
            byte @Nullable [] password,
            @Nullable String vhost,
            InetSocketAddress remote,
            InetSocketAddress local) {}

    /** Completes with the caller, or empty if the credentials are refused. */
    CompletionStage<Optional<Caller>> authenticate(Credentials credentials);
}
