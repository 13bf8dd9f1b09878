package io.sluice.queue;

/** What a consumer makes of a delivery. */
public enum Settlement {
    /** Consumed. */
    ACKED,
    /** Never processed: back to its place. */
    RELEASED,
    /** Back to its place, one failed delivery more. */
    FAILED,
    /** To the dead letters, or dropped where there is no target. */
    REJECTED
}
