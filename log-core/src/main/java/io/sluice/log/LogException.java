package io.sluice.log;

/** A refusal by the log. Adapters map {@link #reason()} to their protocol's own error. */
public final class LogException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Why the log refused. */
    public enum Reason {
        OFFSET_OUT_OF_RANGE,
        CORRUPT_BATCH,
        BATCH_TOO_LARGE,
        UNSUPPORTED_FORMAT,
        INVALID_TIMESTAMP,
        DUPLICATE_SEQUENCE,
        OUT_OF_ORDER_SEQUENCE,
        INVALID_PRODUCER_EPOCH,
        UNKNOWN_PRODUCER_ID,
        STREAM_NOT_FOUND,
        STREAM_EXISTS,
        DISK_FULL,
        QUEUE_FULL,
        OVERLOADED,
        FENCED,
        CLOSED,
        IO_ERROR
    }

    private final Reason reason;

    public LogException(Reason reason, String message) {
        super(message, null, false, false);
        this.reason = reason;
    }

    public LogException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
