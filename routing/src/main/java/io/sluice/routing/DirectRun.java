package io.sluice.routing;

import io.netty.util.ReferenceCounted;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Messages that one pass brings to the same subscribers of one event loop, in order, and the forms that the subscribers make of
 * all of them once and share: a protocol encodes a message once per variant and not once per subscriber. Confined to that
 * loop; valid during the call it is passed to.
 */
public final class DirectRun {
    /** Kinds of shared forms: 0 to this, exclusive. */
    public static final int FORMS = 8;

    private final @Nullable DirectMessage[] messages;
    private final int from;
    private final int size;
    private final int subscribers;
    private @Nullable ReferenceCounted @Nullable [] forms;

    DirectRun(@Nullable DirectMessage[] messages, int from, int to, int subscribers) {
        this.messages = messages;
        this.from = from;
        this.size = to - from;
        this.subscribers = subscribers;
    }

    /** Messages in it, at least 1. */
    public int size() {
        return size;
    }

    /** Subscribers that get the run, one after another: with one, a shared form is of no use. */
    public int subscribers() {
        return subscribers;
    }

    /** A message; borrowed. */
    public DirectMessage message(int i) {
        DirectMessage message = i < size ? messages[from + i] : null;
        if (message == null) {
            throw new IndexOutOfBoundsException(i);
        }
        return message;
    }

    /** The form of this kind if a subscriber before made one; borrowed. */
    public @Nullable ReferenceCounted form(int kind) {
        return forms == null ? null : forms[kind];
    }

    /** Keeps a form for the subscribers that follow; takes over one reference of it. */
    public void keep(int kind, ReferenceCounted form) {
        if (forms == null) {
            forms = new ReferenceCounted[FORMS];
        }
        forms[kind] = form;
    }

    void release() {
        if (forms != null) {
            for (ReferenceCounted form : forms) {
                if (form != null) {
                    form.release();
                }
            }
            Arrays.fill(forms, null);
        }
    }
}
