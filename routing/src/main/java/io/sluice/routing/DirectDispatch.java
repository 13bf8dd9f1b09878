package io.sluice.routing;

import io.sluice.routing.Route.DirectGroup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands messages to direct subscribers, loop to loop: collects what one read brought, then posts one task per event loop, the
 * publisher's own among them. Each task delivers its messages in the order
 * they were added and flushes every subscriber it touched once. Confined to the thread of its publisher.
 */
public final class DirectDispatch {
    private static final Logger LOG = LoggerFactory.getLogger(DirectDispatch.class);

    private final List<Run> runs = new ArrayList<>(4);

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
            DirectGroup first = groups[0];
            boolean oneGroup = true;
            try {
                for (int i = 0; i < size; i++) {
                    DirectMessage message = messages[i];
                    DirectGroup group = groups[i];
                    if (message != null && group != null) {
                        oneGroup &= group == first;
                        deliver(message, group);
                    }
                }
            } finally {
                release();
            }
            if (oneGroup && first != null) {
                for (SubscriberMatch match : first.matches()) {
                    flush(match.subscriber());
                }
            } else {
                flushEachOnce();
            }
        }

        private void flushEachOnce() {
            Set<Subscriber> touched = Collections.newSetFromMap(new IdentityHashMap<>());
            for (int i = 0; i < size; i++) {
                DirectGroup group = groups[i];
                if (group != null) {
                    for (SubscriberMatch match : group.matches()) {
                        if (touched.add(match.subscriber())) {
                            flush(match.subscriber());
                        }
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

        private static void deliver(DirectMessage message, DirectGroup group) {
            for (SubscriberMatch match : group.matches()) {
                Subscriber subscriber = match.subscriber();
                if (match.noLocal() && subscriber.clientId().equals(message.publisherId())) {
                    continue;
                }
                try {
                    subscriber.deliver(message, match);
                } catch (RuntimeException e) {
                    // One broken subscriber must not keep the message from the others of its loop.
                    LOG.warn("delivery to MQTT session {} failed", subscriber.clientId(), e);
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
