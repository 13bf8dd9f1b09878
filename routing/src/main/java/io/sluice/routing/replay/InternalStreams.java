package io.sluice.routing.replay;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.log.StreamId;
import java.util.UUID;

/** Names and identities of the broker's own streams: the id follows from the name, so that it needs no catalog. */
public final class InternalStreams {
    public static final String CATALOG = "__catalog";
    public static final String BRIDGES = "__bridges";
    public static final String RETAINED = "__retained";

    private InternalStreams() {}

    /** True for names that only the broker itself may use. */
    public static boolean isReserved(String name) {
        return name.startsWith("__");
    }

    /** Identity of an internal stream. */
    public static StreamId id(String name) {
        return new StreamId(UUID.nameUUIDFromBytes(("sluice:" + name).getBytes(UTF_8)));
    }

    /** The stream of a virtual host's retained messages; the default host's has no suffix. */
    public static String retained(String vhost) {
        return vhost.equals("/") ? RETAINED : RETAINED + "." + vhost;
    }

    /** The virtual host that an internal stream is for; the default one if it is for all. */
    public static String hostOf(String stream) {
        String prefix = RETAINED + ".";
        return stream.startsWith(prefix) ? stream.substring(prefix.length()) : "/";
    }
}
