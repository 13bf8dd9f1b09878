package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.sluice.log.Durability;
import io.sluice.message.RecordView;
import io.sluice.queue.MessageGroups;
import io.sluice.queue.MessageSelector;
import io.sluice.queue.QueueBrowser;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueRef.ConsumerSpec;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Selectors, groups, locks and browsers, from publish to settlement. {@code CoreSimTest} mixes them with everything else. */
class ChoosyConsumersTest extends CoreFixture {
    /** Messages whose value contains a text. */
    private record Containing(String text) implements MessageSelector {
        @Override
        public boolean matches(RecordView message) {
            return message.valueSlice().toString(StandardCharsets.UTF_8).contains(text);
        }
    }

    private static QueuePolicy grouped(boolean oneInFlight) {
        return QueuePolicy.builder()
                .groups(new MessageGroups(MessageGroups.By.KEY, oneInFlight))
                .build();
    }

    private QueueConsumer attach(QueueRef queue, ConsumerSpec spec, Sink sink) throws Exception {
        return eventLoop.submit(() -> queue.attach(CALLER, spec, sink)).get();
    }

    private static ConsumerSpec spec(int credit) {
        return new ConsumerSpec("test", false, false, credit);
    }

    private long[] refused(Runnable settlements, QueueConsumer consumer) throws Exception {
        return eventLoop
                .submit(() -> {
                    settlements.run();
                    return consumer.flushAnswered().toCompletableFuture();
                })
                .get()
                .get(5, TimeUnit.SECONDS);
    }

    @Test
    void aConsumerGetsWhatItsSelectorWantsAndTheRestKeepsItsPlace() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        publish(queue, Durability.GROUP, "red 1", "blue 1", "red 2", "blue 2").get(5, TimeUnit.SECONDS);
        Sink blue = new Sink();
        QueueConsumer picky = attach(queue, spec(10).selecting(new Containing("blue")), blue);
        await().untilAsserted(() -> assertThat(blue.values()).containsExactly("blue 1", "blue 2"));
        settle(() -> picky.release(blue.got.get(0).id(), false), picky);
        await().untilAsserted(() -> assertThat(blue.values()).containsExactly("blue 1", "blue 2", "blue 1"));
        assertThat(queue.stats().ready()).isEqualTo(2);
        publish(queue, Durability.GROUP, "red 3").get(5, TimeUnit.SECONDS);
        Sink all = new Sink();
        QueueConsumer plain = attach(queue, spec(10), all);
        await().untilAsserted(() -> assertThat(all.values()).containsExactly("red 1", "red 2", "red 3"));
        assertThat(all.got).noneMatch(Got::redelivered);
        eventLoop.submit(picky::cancel).get();
        await().untilAsserted(
                        () -> assertThat(all.values()).containsExactly("red 1", "red 2", "red 3", "blue 1", "blue 2"));
        settle(() -> all.got.forEach(got -> plain.ack(got.id())), plain);
        restart();
        assertThat(open(1, true, QueuePolicy.NONE).stats().ready()).isZero();
    }

    @Test
    void whatWasPassedOverWaitsInItsPlaceAfterARestart() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        publish(queue, Durability.GROUP, "red 1", "blue 1", "red 2").get(5, TimeUnit.SECONDS);
        Sink blue = new Sink();
        attach(queue, spec(10).selecting(new Containing("blue")), blue);
        await().untilAsserted(() -> assertThat(blue.values()).containsExactly("blue 1"));
        restart();
        Sink all = new Sink();
        attach(open(1, true, QueuePolicy.NONE), all, 10);
        await().untilAsserted(() -> assertThat(all.values()).containsExactly("red 1", "blue 1", "red 2"));
    }

    @Test
    void aSelectorThatFailsMatchesNothingAndTooManyAreRefused() throws Exception {
        QueueRef queue = open(1, false, QueuePolicy.NONE);
        Sink broken = new Sink();
        attach(
                queue,
                spec(10).selecting(message -> {
                    throw new IllegalStateException("selector");
                }),
                broken);
        Sink all = new Sink();
        QueueConsumer plain = attach(queue, spec(1), all);
        publish(queue, Durability.OS, "a").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(all.values()).containsExactly("a"));
        eventLoop.submit(plain::cancel).get();
        List<QueueConsumer> many = new ArrayList<>();
        Sink sink = new Sink();
        for (int i = 1; i < Examiner.MAX_SELECTORS; i++) {
            many.add(attach(queue, spec(1).selecting(new Containing("never " + i)), sink));
        }
        Sink late = new Sink();
        attach(queue, spec(1).selecting(new Containing("one more")), late);
        await().untilAsserted(
                        () -> assertThat(late.closed).singleElement().asString().contains("63 selectors"));
        // one like another, and one in the place of another
        attach(queue, spec(1).selecting(new Containing("never 1")), sink);
        eventLoop.submit(many.get(3)::cancel).get();
        attach(queue, spec(1).selecting(new Containing("a")), sink);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a"));
        assertThat(sink.closed).isEmpty();
        assertThat(broken.got).isEmpty();
    }

    @Test
    void aGroupStaysWithItsConsumerAsLongAsThatHasSomethingOfIt() throws Exception {
        QueueRef queue = open(1, true, grouped(false));
        Sink first = new Sink();
        Sink second = new Sink();
        QueueConsumer one = attach(queue, first, 2);
        QueueConsumer two = attach(queue, second, 10);
        publish(queue, Durability.GROUP, "a:1", "b:1", "a:2", "a:3", "b:2").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(first.values()).containsExactly("a:1", "a:2"));
        await().untilAsserted(() -> assertThat(second.values()).containsExactly("b:1", "b:2"));
        // free again, with nothing of it in flight
        settle(() -> first.got.forEach(got -> one.ack(got.id())), one);
        await().untilAsserted(() -> assertThat(second.values()).containsExactly("b:1", "b:2", "a:3"));
        publish(queue, Durability.GROUP, "a:4").get(5, TimeUnit.SECONDS);
        settle(() -> one.credit(5), one);
        await().untilAsserted(() -> assertThat(second.values()).containsExactly("b:1", "b:2", "a:3", "a:4"));
        // what comes back goes first, to somebody else
        eventLoop.submit(two::cancel).get();
        await().untilAsserted(
                        () -> assertThat(first.values()).containsExactly("a:1", "a:2", "b:1", "a:3", "b:2", "a:4"));
    }

    @Test
    void oneOfAGroupIsInFlightWhereThatIsAskedFor() throws Exception {
        QueueRef queue = open(1, true, grouped(true));
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 10);
        publish(queue, Durability.GROUP, "a:1", "a:2", "b:1", "a:3").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a:1", "b:1"));
        settle(() -> consumer.release(sink.got.get(0).id(), true), consumer);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a:1", "b:1", "a:1"));
        settle(() -> consumer.ack(sink.got.get(2).id()), consumer);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a:1", "b:1", "a:1", "a:2"));
        // one that waits to be tried again holds up its group
        settle(() -> consumer.releaseUntil(sink.got.get(3).id(), true, System.currentTimeMillis() + 300), consumer);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a:1", "b:1", "a:1", "a:2", "a:2"));
    }

    @Test
    void aLockThatEndsBringsTheMessageBackAndItsSettlementIsRefused() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        List<Long> ended = new CopyOnWriteArrayList<>();
        Sink sink = new Sink() {
            @Override
            public void lockEnded(long deliveryId) {
                ended.add(deliveryId);
            }
        };
        QueueConsumer consumer = attach(queue, spec(2).locking(400), sink);
        publish(queue, Durability.GROUP, "a", "b").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b"));
        long lost = sink.got.get(0).id();
        long kept = sink.got.get(1).id();
        assertThat(refused(() -> consumer.renew(kept + 100), consumer)).containsExactly(kept + 100);
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(900);
        while (System.nanoTime() < until) {
            assertThat(refused(() -> consumer.renew(kept), consumer)).isEmpty();
        }
        await().untilAsserted(() -> assertThat(ended).containsExactly(lost));
        assertThat(refused(
                        () -> {
                            consumer.ack(lost);
                            consumer.ack(kept);
                        },
                        consumer))
                .containsExactly(lost);
        assertThat(refused(() -> consumer.ack(kept), consumer)).containsExactly(kept);
        settle(() -> consumer.credit(1), consumer);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b", "a"));
        assertThat(sink.got.get(2).count()).isOne();
        assertThatThrownBy(() -> spec(1).locking(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aBrowserSeesWhatWaitsInOrderAndTakesNothing() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.builder().maxPriority(2).build());
        publish(queue, Durability.GROUP, "a", "b", "c", "d").get(5, TimeUnit.SECONDS);
        Sink holder = new Sink();
        QueueConsumer consumer = attach(queue, holder, 2);
        await().untilAsserted(() -> assertThat(holder.values()).containsExactly("a", "b"));
        settle(() -> consumer.release(holder.got.get(1).id(), true), consumer);
        Sink shown = new Sink();
        CompletableFuture<Void> ended = new CompletableFuture<>();
        QueueBrowser browser = browse(queue, null, 1, shown, ended);
        await().untilAsserted(() -> assertThat(shown.values()).containsExactly("b"));
        assertThat(shown.got.get(0)).isEqualTo(new Got(1, "b", true, 1));
        publish(queue, Durability.GROUP, "later").get(5, TimeUnit.SECONDS);
        assertThat(ended).isNotDone();
        browser.credit(Integer.MAX_VALUE);
        ended.get(5, TimeUnit.SECONDS);
        assertThat(shown.values()).containsExactly("b", "c", "d");
        Sink some = new Sink();
        CompletableFuture<Void> again = new CompletableFuture<>();
        browse(queue, new Containing("l"), 10, some, again);
        again.get(5, TimeUnit.SECONDS);
        assertThat(some.values()).containsExactly("later");
        assertThat(queue.stats().ready()).isEqualTo(4);
        assertThat(queue.stats().consumers()).isOne();
        Sink next = new Sink();
        attach(queue, next, 10);
        await().untilAsserted(() -> assertThat(next.values()).containsExactly("b", "c", "d", "later"));
        assertThat(next.got).extracting(Got::redelivered).containsExactly(true, false, false, false);
    }

    @Test
    void aBrowserEndsWithItsQueue() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        publish(queue, Durability.GROUP, "a", "b").get(5, TimeUnit.SECONDS);
        Sink shown = new Sink();
        QueueBrowser left = browse(queue, null, 1, new Sink(), new CompletableFuture<>());
        browse(queue, null, 1, shown, new CompletableFuture<>());
        await().untilAsserted(() -> assertThat(shown.values()).containsExactly("a"));
        left.close();
        core.queues().delete(queue.id()).toCompletableFuture().get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(shown.closed).containsExactly("queue deleted"));
        Sink late = new Sink();
        browse(queue, null, 1, late, new CompletableFuture<>());
        await().untilAsserted(() -> assertThat(late.closed).containsExactly("queue deleted"));
        QueueRef delayed = open(2, true, QueuePolicy.builder().delayed(true).build());
        Sink none = new Sink();
        browse(delayed, null, 1, none, new CompletableFuture<>());
        await().untilAsserted(() -> assertThat(none.closed).hasSize(1));
    }

    private QueueBrowser browse(
            QueueRef queue, MessageSelector selector, int credit, Sink sink, CompletableFuture<Void> ended) {
        return queue.browse(CALLER, selector, credit, sink, () -> ended.complete(null));
    }
}
