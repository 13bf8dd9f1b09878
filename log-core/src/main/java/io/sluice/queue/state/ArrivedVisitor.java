package io.sluice.queue.state;

/** Sees references of a queue that nobody opened since their messages were read back from the log. */
@FunctionalInterface
public interface ArrivedVisitor {
    /**
     * A reference.
     *
     * @param expiry the message's own, epoch ms
     * @param arrival when the message was taken up, epoch ms
     */
    void arrived(long position, long state, long expiry, long arrival);
}
