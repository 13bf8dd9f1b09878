package io.sluice.routing;

import io.sluice.routing.Route.DirectGroup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands messages to direct subscribers, loop to loop: collects what one read or one pass of a loop brought, then posts one task
 * per event loop, the publisher's own among them. Each task delivers its messages in the order they were added, {@link
 * DirectRun run} by run, and then asks every subscriber it touched to flush. Confined to the thread of its publishers.
 */
public final class DirectDispatch {
    private static final Logger LOG = LoggerFactory.getLogger(DirectDispatch.class);

    private final List<Run> runs = new ArrayList<>(4);
    private final Runnable passEnd = this::endPass;
    private boolean scheduled;

    /** Adds a message for the direct subscribers of a route; retains it until it is delivered. */
    public void add(DirectMessage message, Route route) {
        for (DirectGroup group : route.direct()) {
            runFor(group.executor()).add(message, group);
        }
    }

    /** True if nothing waits for {@link #flush}. */
    public boolean isEmpty() {
        return runs.isEmpty();
    }

    /** Sends off what was added. */
    public void flush() {
        if (runs.isEmpty()) {
            return;
        }
        for (int i = 0; i < runs.size(); i++) {
            Run run = runs.get(i);
            try {
                // Also on the own loop a task and not a call: what other loops posted here before comes first, so a
                // message
                // published after another's acknowledgement is delivered after it.
                run.executor.execute(run);
            } catch (RejectedExecutionException e) {
                run.release(); // that loop is shutting down and its connections with it
            }
        }
        // Deliveries may publish again (a will, a bridge): start from an empty list.
        runs.clear();
    }

    /**
     * Sends off what was added, and what other publishers of this thread add until then, when {@code loop} has read what its
     * pass brought. For messages that nobody gets acknowledged: an acknowledgement must not overtake the hand-over.
     *
     * @param loop the executor of this thread
     */
    public void flushLater(Executor loop) {
        if (!scheduled && !runs.isEmpty()) {
            scheduled = true;
            try {
                loop.execute(passEnd);
            } catch (RejectedExecutionException e) {
                endPass(); // the loop is shutting down: this is its last pass
            }
        }
    }

    private void endPass() {
        scheduled = false;
        flush();
    }

    private Run runFor(Executor executor) {
        for (int i = 0; i < runs.size(); i++) {
            if (runs.get(i).executor == executor) {
                return runs.get(i);
            }
        }
        Run run = new Run(executor);
        runs.add(run);
        return run;
    }

    /** The deliveries of one loop. */
    private static final class Run implements Runnable {
        private final Executor executor;
        private int size;
        private @Nullable DirectMessage[] messages = new DirectMessage[8];
        private @Nullable DirectGroup[] groups = new DirectGroup[8];

        Run(Executor executor) {
            this.executor = executor;
        }

        void add(DirectMessage message, DirectGroup group) {
            if (size == messages.length) {
                messages = Arrays.copyOf(messages, size * 2);
                groups = Arrays.copyOf(groups, size * 2);
            }
            message.retain();
            messages[size] = message;
            groups[size++] = group;
        }

        @Override
        @SuppressWarnings(
                "ReferenceEquality") // groups are shared route data, the same object while the route is the same
        public void run() {
            try {
                int from = 0;
                while (from < size) {
                    DirectGroup group = groups[from];
                    int to = from + 1;
                    while (to < size && groups[to] == group) {
                        to++;
                    }
                    if (group != null) {
                        deliver(group, from, to);
                    }
                    from = to;
                }
            } finally {
                release();
            }
            flushAll();
        }

        private void deliver(DirectGroup group, int from, int to) {
            SubscriberMatch[] matches = group.matches();
            DirectRun run = new DirectRun(messages, from, to, matches.length);
            try {
                for (SubscriberMatch match : matches) {
                    try {
                        match.subscriber().deliver(run, match);
                    } catch (RuntimeException e) {
                        // One broken subscriber must not keep the messages from the others of its loop.
                        LOG.warn(
                                "delivery to MQTT session {} failed",
                                match.subscriber().clientId(),
                                e);
                    }
                }
            } finally {
                run.release();
            }
        }

        /** A subscriber of several groups is asked again, which costs it nothing. */
        @SuppressWarnings("ReferenceEquality")
        private void flushAll() {
            DirectGroup last = null;
            for (int i = 0; i < size; i++) {
                DirectGroup group = groups[i];
                if (group != null && group != last) {
                    last = group;
                    for (SubscriberMatch match : group.matches()) {
                        flush(match.subscriber());
                    }
                }
            }
        }

        void release() {
            for (int i = 0; i < size; i++) {
                DirectMessage message = messages[i];
                if (message != null) {
                    messages[i] = null;
                    message.release();
                }
            }
        }

        private static void flush(Subscriber subscriber) {
            try {
                subscriber.flush();
            } catch (RuntimeException e) {
                LOG.warn("flush to MQTT session {} failed", subscriber.clientId(), e);
            }
        }
    }
}
