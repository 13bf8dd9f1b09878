package io.sluice.access;

/** Decides whether a principal may do something. Called on event loops for every operation: implementations never block. */
@FunctionalInterface
public interface Authorizer {
    /** Permits everything; for the broker itself and for tests. */
    Authorizer PERMIT_ALL = (principal, vhost, operation, resource) -> true;

    /** True if {@code principal} may do {@code operation} on {@code resource} in {@code vhost}. Thread-safe. */
    boolean permits(Principal principal, String vhost, Operation operation, Resource resource);
}
