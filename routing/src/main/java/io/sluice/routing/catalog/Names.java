package io.sluice.routing.catalog;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Principal;
import io.sluice.access.Resource;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.replay.InternalStreams;

/** Rules of names and permissions that all changes share. */
final class Names {
    /** Longest name, bytes of UTF-8: an AMQP short string. */
    private static final int MAX_BYTES = 255;

    private static final String RESERVED = "amq.";
    /** Names that adapters make up for clients that leave the name to the broker. */
    private static final String GENERATED = "amq.gen-";

    private Names() {}

    static void checkHost(String name) {
        check(name, "virtual host");
    }

    static void checkExchange(String name) {
        check(name, "exchange");
        if (name.startsWith(RESERVED)) {
            throw reserved("exchange", name);
        }
    }

    static void checkQueue(String name) {
        check(name, "queue");
        if (name.startsWith(RESERVED) && !name.startsWith(GENERATED) || InternalStreams.isReserved(name)) {
            throw reserved("queue", name);
        }
    }

    /** Streams of reserved names are for the broker itself. */
    static void checkStream(Caller caller, String name) {
        check(name, "stream");
        if (!caller.principal().equals(Principal.BROKER)
                && (name.startsWith(RESERVED) || InternalStreams.isReserved(name))) {
            throw reserved("stream", name);
        }
    }

    static void permit(Caller caller, Operation operation, Resource.Kind kind, String name) {
        if (!caller.may(operation, kind, name)) {
            throw new RoutingException(
                    Reason.ACCESS_REFUSED,
                    "user '" + caller.principal().name() + "' may not " + word(operation) + " " + word(kind) + " '"
                            + name + "'");
        }
    }

    static RoutingException refuse(Reason reason, String message) {
        return new RoutingException(reason, message);
    }

    private static void check(String name, String what) {
        if (name.isEmpty() || name.getBytes(UTF_8).length > MAX_BYTES || name.indexOf('\0') >= 0) {
            throw refuse(
                    Reason.INVALID_NAME,
                    what + " name must have 1 to " + MAX_BYTES + " bytes and no NUL: '" + name + "'");
        }
    }

    private static RoutingException reserved(String what, String name) {
        return refuse(Reason.ACCESS_REFUSED, what + " name '" + name + "' is reserved for the broker");
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(java.util.Locale.ROOT);
    }
}
