package io.sluice.access;

/**
 * An authenticated identity.
 *
 * @param name user name as the client gave it, without a virtual host prefix; {@code anonymous} where the door allows none
 */
public record Principal(String name) {
    /** The identity of clients that presented no credentials on a door that permits this. */
    public static final Principal ANONYMOUS = new Principal("anonymous");

    /** The broker acting for itself, such as a stream bridge or the catalog. */
    public static final Principal BROKER = new Principal("$broker");
}
