package io.sluice.server.security;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.access.Authenticator.Credentials;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Principal;
import io.sluice.access.Resource;
import java.net.InetSocketAddress;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoopbackAuthenticatorTest {
    private final LoopbackAuthenticator authenticator = new LoopbackAuthenticator(new LoopbackAuthorizer());

    @ParameterizedTest
    @CsvSource({
        "mqtt,,,127.0.0.1,anonymous",
        "kafka,,,::1,anonymous",
        "mqtt,guest,guest,127.0.0.1,guest",
        "amqp,guest,guest,127.0.0.1,guest",
        "amqp,guest,guest,127.9.8.7,guest",
        "amqp,,,127.0.0.1,",
        "amqp,guest,wrong,127.0.0.1,",
        "amqp,guest,,127.0.0.1,",
        "amqp,admin,guest,127.0.0.1,",
        "mqtt,admin,secret,127.0.0.1,",
        "mqtt,admin,,127.0.0.1,",
        "mqtt,,guest,127.0.0.1,",
        "mqtt,,,192.0.2.1,",
        "amqp,guest,guest,192.0.2.1,",
        "kafka,guest,guest,2001:db8::1,",
    })
    void onlyThisMachineAndOnlyWhatCanBeChecked(
            String protocol,
            @Nullable String user,
            @Nullable String password,
            String remote,
            @Nullable String expected) {
        assertThat(authenticate(protocol, user, password, null, remote)
                        .map(caller -> caller.principal().name()))
                .isEqualTo(Optional.ofNullable(expected));
    }

    @Test
    void virtualHostComesFromTheProtocolOrTheUserName() {
        assertThat(vhost("amqp", "guest", "guest", "shop")).isEqualTo("shop");
        assertThat(vhost("mqtt", "shop:guest", "guest", null)).isEqualTo("shop");
        assertThat(vhost("mqtt", "a:b:guest", "guest", null)).isEqualTo("a:b");
        assertThat(vhost("kafka", null, null, null)).isEqualTo("/");
    }

    @Test
    void connectionNamesProtocolAndPeer() {
        assertThat(authenticate("mqtt", null, null, null, "127.0.0.1")
                        .orElseThrow()
                        .connection())
                .isEqualTo("mqtt 127.0.0.1:50000");
    }

    @Test
    void internalStreamsAreTheBrokersOwn() {
        Caller guest = authenticate("kafka", null, null, null, "127.0.0.1").orElseThrow();

        assertThat(guest.may(Operation.WRITE, Resource.Kind.STREAM, "telemetry"))
                .isTrue();
        assertThat(guest.may(Operation.READ, Resource.Kind.STREAM, "__consumer_offsets"))
                .isTrue();
        assertThat(guest.may(Operation.WRITE, Resource.Kind.STREAM, "__catalog"))
                .isFalse();
        assertThat(guest.may(Operation.CONFIGURE, Resource.Kind.STREAM, "__catalog"))
                .isFalse();
        assertThat(new LoopbackAuthorizer()
                        .permits(
                                Principal.BROKER,
                                "/",
                                Operation.WRITE,
                                new Resource(Resource.Kind.STREAM, "__catalog")))
                .isTrue();
    }

    private String vhost(String protocol, @Nullable String user, @Nullable String password, @Nullable String vhost) {
        return authenticate(protocol, user, password, vhost, "127.0.0.1")
                .orElseThrow()
                .vhost();
    }

    private Optional<Caller> authenticate(
            String protocol, @Nullable String user, @Nullable String password, @Nullable String vhost, String remote) {
        return authenticator
                .authenticate(new Credentials(
                        protocol,
                        user,
                        password == null ? null : password.getBytes(UTF_8),
                        vhost,
                        new InetSocketAddress(remote, 50000),
                        new InetSocketAddress("127.0.0.1", 1883)))
                .toCompletableFuture()
                .getNow(Optional.empty());
    }
}
