package io.sluice.server.security;

import io.sluice.access.Authorizer;
import io.sluice.access.Operation;
import io.sluice.access.Principal;
import io.sluice.access.Resource;

/**
 * Permits every client of this machine everything but changing the broker's own streams, whose names begin with two
 * underscores. Thread-safe.
 */
public final class LoopbackAuthorizer implements Authorizer {
    private static final String INTERNAL = "__";

    @Override
    public boolean permits(Principal principal, String vhost, Operation operation, Resource resource) {
        return principal.equals(Principal.BROKER)
                || operation == Operation.READ
                || resource.kind() != Resource.Kind.STREAM
                || !resource.name().startsWith(INTERNAL);
    }
}
