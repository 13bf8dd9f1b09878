package io.sluice.access;

/**
 * Who asks, for which virtual host, and who decides. One per connection, shared by all its calls.
 *
 * @param principal authenticated identity
 * @param vhost virtual host, {@code /} by default
 * @param authorizer asked before each operation
 * @param connection readable id of the connection for log lines, such as {@code mqtt 127.0.0.1:51234}
 */
public record Caller(Principal principal, String vhost, Authorizer authorizer, String connection) {
    /** The broker acting for itself in {@code vhost}. */
    public static Caller broker(String vhost) {
        return new Caller(Principal.BROKER, vhost, Authorizer.PERMIT_ALL, "broker");
    }

    /** Asks the authorizer. */
    public boolean may(Operation operation, Resource.Kind kind, String name) {
        return authorizer.permits(principal, vhost, operation, new Resource(kind, name));
    }
}
