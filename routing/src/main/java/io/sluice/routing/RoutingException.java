package io.sluice.routing;

/** A refusal by routing or catalog. Adapters map {@link #reason()} to their protocol's own error. */
public final class RoutingException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Why it was refused. */
    public enum Reason {
        NOT_FOUND,
        PRECONDITION_FAILED,
        ACCESS_REFUSED,
        IN_USE,
        NOT_EMPTY,
        CYCLE,
        INVALID_NAME,
        NOT_IMPLEMENTED,
        UNAVAILABLE
    }

    private final Reason reason;

    public RoutingException(Reason reason, String message) {
        super(message, null, false, false);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
