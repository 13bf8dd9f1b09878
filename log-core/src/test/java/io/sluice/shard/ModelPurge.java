package io.sluice.shard;

/**
 * A purge. It takes what was sent before it and is not with a consumer when the shard gets to it, which is late if a
 * message sent before it waits for disk space.
 */
final class ModelPurge {
    final long journaledFrom;
    long journaledTo = -1;
    boolean done;

    ModelPurge(long journaledFrom) {
        this.journaledFrom = journaledFrom;
    }

    /** The client has its answer, and the journal the purge before {@code journalEnd}. */
    void done(long journalEnd) {
        done = true;
        journaledTo = journalEnd;
    }
}
