package io.sluice.routing;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.message.RecordView;
import io.sluice.queue.QueueRef;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Route.DirectGroup;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** One task per loop, order, shared runs, references: on loops that run when the test says so. */
class DirectDispatchTest {
    private final List<String> seen = new ArrayList<>();
    private final Loop red = new Loop();
    private final Loop blue = new Loop();
    private final DirectDispatch dispatch = new DirectDispatch();

    /** An event loop by hand. */
    private static final class Loop implements Executor {
        final ArrayDeque<Runnable> tasks = new ArrayDeque<>();
        boolean shutDown;

        @Override
        public void execute(Runnable task) {
            if (shutDown) {
                throw new RejectedExecutionException();
            }
            tasks.add(task);
        }

        void runAll() {
            for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
                task.run();
            }
        }
    }

    private static final class Message extends AbstractReferenceCounted implements DirectMessage {
        private final String topic;
        private final String publisher;
        boolean freed;

        Message(String topic, String publisher) {
            this.topic = topic;
            this.publisher = publisher;
        }

        @Override
        public String topic() {
            return topic;
        }

        @Override
        public int qos() {
            return 0;
        }

        @Override
        public String publisherId() {
            return publisher;
        }

        @Override
        public void record(RecordView into) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected void deallocate() {
            freed = true;
        }

        @Override
        public ReferenceCounted touch(Object hint) {
            return this;
        }
    }

    private class Reader implements Subscriber {
        private final String name;
        private final Executor loop;

        Reader(String name, Executor loop) {
            this.name = name;
            this.loop = loop;
        }

        @Override
        public String clientId() {
            return name;
        }

        @Override
        public Executor executor() {
            return loop;
        }

        @Override
        public @Nullable QueueRef queue() {
            return null;
        }

        @Override
        public void deliver(DirectMessage message, SubscriberMatch match) {
            seen.add(name + ":" + message.topic());
        }

        @Override
        public void flush() {
            seen.add(name + " flush");
        }
    }

    @Test
    void eachLoopGetsOneTaskWithItsMessagesInOrderThenFlushes() {
        Route both =
                route(group(red, new Reader("r1", red), new Reader("r2", red)), group(blue, new Reader("b", blue)));
        List<Message> messages = add(both, "1", "2");
        assertThat(dispatch.isEmpty()).isFalse();
        dispatch.flush();
        assertThat(dispatch.isEmpty()).isTrue();
        assertThat(red.tasks).hasSize(1);
        assertThat(blue.tasks).hasSize(1);
        red.runAll();
        assertThat(seen).containsExactly("r1:1", "r1:2", "r2:1", "r2:2", "r1 flush", "r2 flush");
        assertThat(messages).noneMatch(m -> m.freed); // the other loop still needs them
        blue.runAll();
        assertThat(seen.subList(6, 9)).containsExactly("b:1", "b:2", "b flush");
        assertThat(messages).allMatch(m -> m.freed);
    }

    @Test
    void messagesOfDifferentRoutesKeepTheirOrderForASharedReader() {
        Reader reader = new Reader("r", red);
        Route one = route(group(red, reader));
        Route other = route(group(red, reader, new Reader("s", red)));
        add(one, "1");
        add(other, "2");
        add(one, "3");
        dispatch.flush();
        red.runAll();
        assertThat(seen).startsWith("r:1", "r:2", "s:2", "r:3");
        assertThat(seen.subList(4, seen.size())).contains("r flush", "s flush");
    }

    @Test
    void aPublisherDoesNotGetWhatItPublishedIfTheMatchIsNoLocal() {
        Reader own = new Reader("me", red);
        DirectGroup group =
                new DirectGroup(red, new SubscriberMatch[] {new SubscriberMatch(own, 1, true, false, new int[0])});
        for (String publisher : List.of("me", "you")) {
            Message message = new Message(publisher, publisher);
            dispatch.add(message, route(group));
            message.release();
        }
        dispatch.flush();
        red.runAll();
        assertThat(seen).containsExactly("me:you", "me flush");
    }

    @Test
    void oneBrokenReaderDoesNotKeepMessagesFromOthers() {
        Reader broken = new Reader("broken", red) {
            @Override
            public void deliver(DirectMessage message, SubscriberMatch match) {
                throw new IllegalStateException("broken on purpose");
            }

            @Override
            public void flush() {
                throw new IllegalStateException("broken on purpose");
            }
        };
        List<Message> messages = add(route(group(red, broken, new Reader("r", red))), "1");
        dispatch.flush();
        red.runAll();
        assertThat(seen).containsExactly("r:1", "r flush");
        assertThat(messages.get(0).freed).isTrue();
    }

    @Test
    void aFormIsMadeOnceForAllReadersOfARunAndFreedAfterIt() {
        List<ByteBuf> made = new ArrayList<>();
        class Sharing extends Reader {
            Sharing(String name) {
                super(name, red);
            }

            @Override
            public void deliver(DirectRun run, SubscriberMatch match) {
                assertThat(run.subscribers()).isEqualTo(2);
                if (run.form(3) == null) {
                    ByteBuf form = Unpooled.buffer();
                    made.add(form);
                    run.keep(3, form);
                }
                seen.add(clientId() + " of " + run.size() + " shares " + (run.form(3) == made.get(made.size() - 1)));
            }
        }
        Route route = route(group(red, new Sharing("a"), new Sharing("b")));
        add(route, "1", "2", "3");
        dispatch.flush();
        red.runAll();
        assertThat(seen).startsWith("a of 3 shares true", "b of 3 shares true");
        assertThat(made).hasSize(1);
        assertThat(made.get(0).refCnt()).isZero();
    }

    @Test
    void whatAPassBringsTravelsTogetherAndAnEarlierFlushTakesItAlong() {
        Route route = route(group(blue, new Reader("b", blue)));
        add(route, "1");
        dispatch.flushLater(red);
        add(route, "2");
        dispatch.flushLater(red);
        assertThat(red.tasks).hasSize(1);
        assertThat(blue.tasks).isEmpty();
        red.runAll();
        assertThat(blue.tasks).hasSize(1);
        add(route, "3");
        dispatch.flushLater(red);
        dispatch.flush(); // somebody needs the hand-over now
        assertThat(blue.tasks).hasSize(2);
        red.runAll();
        assertThat(blue.tasks).hasSize(2);
        blue.runAll();
        assertThat(seen).containsExactly("b:1", "b:2", "b flush", "b:3", "b flush");
        dispatch.flushLater(red);
        assertThat(red.tasks).isEmpty(); // nothing waits
    }

    @Test
    void aLoopThatShutsDownTakesNothingAndNothingIsLeaked() {
        blue.shutDown = true;
        List<Message> messages = add(route(group(blue, new Reader("b", blue))), "1");
        dispatch.flush();
        assertThat(messages.get(0).freed).isTrue();
        red.shutDown = true;
        messages = add(route(group(blue, new Reader("b", blue))), "2");
        dispatch.flushLater(red);
        assertThat(messages.get(0).freed).isTrue();
        assertThat(seen).isEmpty();
    }

    private List<Message> add(Route route, String... topics) {
        List<Message> messages = new ArrayList<>();
        for (String topic : topics) {
            Message message = new Message(topic, "publisher");
            dispatch.add(message, route);
            message.release();
            messages.add(message);
        }
        return messages;
    }

    private static Route route(DirectGroup... groups) {
        return new Route(TargetSet.EMPTY, groups);
    }

    private static DirectGroup group(Executor loop, Subscriber... subscribers) {
        SubscriberMatch[] matches = new SubscriberMatch[subscribers.length];
        for (int i = 0; i < subscribers.length; i++) {
            matches[i] = new SubscriberMatch(subscribers[i], 1, false, false, new int[0]);
        }
        return new DirectGroup(loop, matches);
    }
}
