package io.sluice.server.security;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.access.Authenticator;
import io.sluice.access.Authorizer;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * The rule of Mosquitto and RabbitMQ for a broker without users: clients of this machine only. MQTT and native clients may
 * come without credentials, AMQP clients come as {@code guest} with password {@code guest}. Credentials that cannot be checked are
 * refused rather than ignored. Thread-safe.
 */
public final class LoopbackAuthenticator implements Authenticator {
    private static final String DEFAULT_VHOST = "/";
    private static final String GUEST = "guest";
    private static final byte[] GUEST_PASSWORD = GUEST.getBytes(UTF_8);

    private final Authorizer authorizer;

    public LoopbackAuthenticator(Authorizer authorizer) {
        this.authorizer = authorizer;
    }

    @Override
    public CompletionStage<Optional<Caller>> authenticate(Credentials credentials) {
        return CompletableFuture.completedFuture(identify(credentials));
    }

    private Optional<Caller> identify(Credentials credentials) {
        InetAddress peer = credentials.remote().getAddress();
        if (peer == null || !peer.isLoopbackAddress()) {
            return Optional.empty();
        }
        String user = credentials.user();
        if (user == null && credentials.password() == null) {
            return credentials.protocol().equals("amqp")
                    ? Optional.empty()
                    : Optional.of(caller(Principal.ANONYMOUS, credentials.vhost(), credentials));
        }
        if (user == null || !isGuestPassword(credentials.password())) {
            return Optional.empty();
        }
        String vhost = credentials.vhost();
        int colon = user.lastIndexOf(':');
        if (vhost == null && colon > 0) {
            vhost = user.substring(0, colon);
            user = user.substring(colon + 1);
        }
        return user.equals(GUEST) ? Optional.of(caller(new Principal(GUEST), vhost, credentials)) : Optional.empty();
    }

    private static boolean isGuestPassword(byte @Nullable [] password) {
        return password != null && MessageDigest.isEqual(password, GUEST_PASSWORD);
    }

    private Caller caller(Principal principal, @Nullable String vhost, Credentials credentials) {
        return new Caller(
                principal,
                vhost == null ? DEFAULT_VHOST : vhost,
                authorizer,
                credentials.protocol() + " " + readable(credentials.remote()));
    }

    private static String readable(InetSocketAddress address) {
        return address.getAddress().getHostAddress() + ":" + address.getPort();
    }
}
