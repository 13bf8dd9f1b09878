package io.sluice.log;

/** How far a reader may see. */
public enum Isolation {
    /** All appended batches; replay and internal use only. */
    LOG_END,
    /** Batches committed at the durability they asked for. */
    HIGH_WATERMARK,
    /** As {@link #HIGH_WATERMARK} but below the first open transaction. */
    LAST_STABLE
}
