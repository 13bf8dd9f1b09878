package io.sluice.log;

/** What must have happened to a message before it is confirmed. Ordered from weakest to strongest. */
public enum Durability {
    /** In memory; gone after a restart. */
    MEMORY,
    /** In the page cache: survives the death of the process, not of the machine. */
    OS,
    /** In the write-ahead log and synced by a group commit: survives power loss. */
    GROUP,
    /** Committed by a quorum of a distributed engine; the embedded engine treats it as {@link #GROUP}. */
    QUORUM
}
