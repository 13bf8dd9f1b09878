package io.sluice.queue;

/** Sees references; see {@link Reference}. */
@FunctionalInterface
public interface ReferenceVisitor {
    void visit(long position, long state, long expiry);
}
