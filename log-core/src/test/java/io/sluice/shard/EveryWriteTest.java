package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.sluice.io.LeakReports;
import io.sluice.log.Durability;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.RetryBackoff;
import io.sluice.queue.Settlement;
import io.sluice.shard.CoreSimulation.Client;
import io.sluice.shard.CoreSimulation.Stop;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.LoggerFactory;

/**
 * Scripted episodes, each played once without a fault and then again and again with a crash at its first, second, ... last call to
 * the disk: the process is killed there, or the power goes, which loses, tears and reorders what was not synced. After each the core
 * starts anew and is held to every {@link Invariant}, then has to deliver all that is left and give its space back. {@code
 * -Dsluice.sim.every=1} crashes at every call, each time in five ways, as profile {@code simulation} does; else most are left
 * out.
 */
class EveryWriteTest {
    private static final int ACK = 0;
    private static final int RELEASE = 13;
    private static final int FAIL = 15;
    private static final int REJECT = 18;
    private static final List<Integer> NO_STREAM = List.of();
    private static final QueuePolicy PLAIN = QueuePolicy.NONE;

    private final Logger log = (Logger) LoggerFactory.getLogger("io.sluice");
    private Level level;

    /** What happens. */
    enum Script {
        PUBLISH_TO_QUEUES_AND_STREAMS {
            @Override
            void play(Stage on) {
                Client a = on.queue(PLAIN);
                Client b = on.queue(PLAIN);
                for (Durability asked : Durability.values()) {
                    on.submit(asked, List.of(a, b), List.of(0, 1));
                    on.submit(asked, List.of(b), List.of(1));
                    on.submit(asked, List.of(), List.of(0, 1));
                    on.work();
                }
                on.submit(Durability.OS, List.of(a), List.of(0));
                on.submit(Durability.GROUP, List.of(b), List.of(1));
                on.work();
                on.produce();
            }
        },
        ACKNOWLEDGE_AND_RETURN {
            @Override
            void play(Stage on) {
                Client queue = on.queue(PLAIN);
                on.publish(queue, 4);
                SimulatedConsumer first = on.consume(queue, 3);
                on.settle(first, ACK);
                on.settle(first, RELEASE);
                on.settle(first, FAIL);
                SimulatedConsumer second = on.consume(queue, 10);
                on.settle(second, ACK);
                on.leave(second);
                on.publish(queue, 1);
            }
        },
        DEAD_LETTERS_BY_REJECT_AND_DELIVERY_LIMIT {
            @Override
            void play(Stage on) {
                Client dead = on.queue(PLAIN);
                Client queue = on.queue(deadLetters().deliveryLimit(1).build(), dead);
                on.publish(queue, 3);
                SimulatedConsumer consumer = on.consume(queue, 10);
                on.settle(consumer, REJECT);
                on.settle(consumer, FAIL);
                on.settle(consumer, FAIL);
                on.settle(consumer, FAIL);
                on.pass(1100);
                on.settle(consumer, REJECT);
                on.pass(1100);
            }
        },
        TIME_TO_LIVE {
            @Override
            void play(Stage on) {
                Client dead = on.queue(PLAIN);
                Client dropping = on.queue(QueuePolicy.builder().messageTtl(300).build());
                Client queue = on.queue(deadLetters().messageTtl(500).build(), dead);
                on.publish(dropping, 2);
                on.publish(queue, 2);
                on.submit(Durability.GROUP, 0, 100, List.of(queue), NO_STREAM);
                on.work();
                on.pass(400);
                SimulatedConsumer consumer = on.consume(queue, 1);
                on.pass(1200);
                on.settle(consumer, FAIL);
                on.pass(1200);
            }
        },
        LIMITS_OF_EACH_KIND {
            @Override
            void play(Stage on) {
                Client dead = on.queue(PLAIN);
                Client head = on.queue(deadLetters().maxLength(2).build(), dead);
                Client reject = on.queue(limit(Overflow.REJECT_PUBLISH, QueuePolicy.builder()));
                Client rejectDead = on.queue(limit(Overflow.REJECT_PUBLISH_DLX, deadLetters()), dead);
                Client bytes = on.queue(QueuePolicy.builder().maxBytes(200).build());
                on.publish(head, 4);
                on.publish(reject, 4);
                on.publish(rejectDead, 4);
                on.publish(bytes, 4);
                on.submit(Durability.GROUP, List.of(head, reject), List.of(1));
                on.work();
                on.pass(1100);
            }
        },
        DELAY_FALLS_DUE {
            @Override
            void play(Stage on) {
                Client target = on.queue(PLAIN);
                Client delayed = on.queue(QueuePolicy.builder().delayed(true).build(), target);
                on.submit(Durability.GROUP, 0, 100, List.of(delayed), NO_STREAM);
                on.submit(Durability.GROUP, 0, 2_000, List.of(delayed), NO_STREAM);
                on.submit(Durability.GROUP, 0, 100_000, List.of(delayed), NO_STREAM);
                on.work();
                on.pass(500);
                on.pass(2_000);
                SimulatedConsumer consumer = on.consume(target, 1);
                on.settle(consumer, ACK);
                on.pass(100_000);
            }
        },
        RETRIES {
            @Override
            void play(Stage on) {
                Client queue = on.queue(QueuePolicy.builder()
                        .retry(new RetryBackoff(500, 1_000, 2, 0))
                        .build());
                on.publish(queue, 4);
                SimulatedConsumer consumer = on.consume(queue, 10);
                on.settle(consumer, FAIL);
                on.releaseUntil(consumer, true, 2_000);
                on.releaseUntil(consumer, false, 700);
                on.pass(600);
                on.settle(consumer, FAIL);
                on.tick();
                on.publish(queue, 1);
                on.pass(1_100);
                on.settle(consumer, ACK);
                on.purge(queue);
                on.pass(1_100);
            }
        },
        UNUSED_QUEUES_EXPIRE {
            @Override
            void play(Stage on) {
                Client queue = on.queue(QueuePolicy.builder().expires(900).build());
                Client kept = on.queue(QueuePolicy.builder().expires(60_000).build());
                on.publish(queue, 3);
                on.publish(kept, 2);
                SimulatedConsumer consumer = on.consume(queue, 1);
                on.settle(consumer, RELEASE);
                on.leave(consumer);
                on.pass(500);
                on.tick();
                on.pass(1_100);
                on.publish(kept, 1);
            }
        },
        PURGE_AND_DELETE {
            @Override
            void play(Stage on) {
                Client queue = on.queue(PLAIN);
                Client other = on.queue(PLAIN);
                on.publish(queue, 4);
                SimulatedConsumer consumer = on.consume(queue, 1);
                on.purge(queue);
                on.publish(queue, 2);
                on.publish(other, 3);
                on.settle(consumer, RELEASE);
                on.purge(other);
                on.delete(other);
                on.publish(queue, 1);
                on.delete(queue);
                on.publish(on.queue(PLAIN), 2);
            }
        },
        TRANSACTIONS {
            @Override
            void play(Stage on) {
                Client dead = on.queue(PLAIN);
                Client queue = on.queue(deadLetters().deliveryLimit(1).build(), dead);
                Client out = on.queue(PLAIN);
                SimulatedConsumer consumer = on.consume(queue, 100);
                on.publish(queue, 6);
                on.transact(consumer, List.of(Settlement.ACKED, Settlement.FAILED), List.of(out, out));
                on.transact(consumer, List.of(Settlement.RELEASED, Settlement.REJECTED), List.of());
                on.tick();
                on.transact(consumer, List.of(Settlement.FAILED), List.of(out, queue));
                on.settle(consumer, ACK);
                // once too often
                on.transact(consumer, List.of(Settlement.FAILED), List.of());
                on.leave(consumer);
            }
        },
        CHECKPOINTS_AND_SEGMENTS {
            @Override
            void play(Stage on) {
                Client queue = on.queue(PLAIN);
                SimulatedConsumer consumer = on.consume(queue, 100);
                for (int i = 0; i < 4; i++) {
                    on.submit(Durability.GROUP, 0, -1, 2_000, List.of(queue), List.of(0, 1));
                    on.submit(Durability.OS, 0, -1, 1_500, List.of(queue), List.of(0));
                    on.work();
                    on.settle(consumer, ACK);
                    on.pass(1100);
                    if (i % 2 == 1) {
                        on.tick();
                    }
                }
                on.publish(queue, 1);
            }
        },
        PRIORITIES_IN_SCRATCH_FILES {
            @Override
            void play(Stage on) {
                Client queue = on.queue(QueuePolicy.builder().maxPriority(2).build());
                for (int i = 0; i < 24; i++) {
                    on.submit(Durability.GROUP, i % 3, -1, List.of(queue), NO_STREAM);
                    if (i % 6 == 5) {
                        on.work();
                    }
                }
                SimulatedConsumer consumer = on.consume(queue, 100);
                for (int i = 0; i < 20; i++) {
                    on.settle(consumer, i % 5 == 0 ? RELEASE : ACK);
                }
            }
        };

        abstract void play(Stage on);

        static QueuePolicy.Builder deadLetters() {
            return QueuePolicy.builder().deadLetterExchange("");
        }

        static QueuePolicy limit(Overflow overflow, QueuePolicy.Builder policy) {
            return policy.maxLength(2).overflow(overflow).build();
        }
    }

    /** Lets a script act until the crash. */
    private static final class Stage {
        private final CoreSimulation world;

        Stage(CoreSimulation world) {
            this.world = world;
        }

        private boolean isOver() {
            return world.faulty;
        }

        Client queue(QueuePolicy policy) {
            return queue(policy, null);
        }

        Client queue(QueuePolicy policy, Client deadLetters) {
            Client client = world.createQueue(policy, true, deadLetters);
            work();
            return client;
        }

        void publish(Client queue, int count) {
            for (int i = 0; i < count; i++) {
                submit(Durability.GROUP, 0, -1, List.of(queue), NO_STREAM);
            }
            work();
        }

        void submit(Durability asked, List<Client> queues, List<Integer> streams) {
            submit(asked, 0, -1, queues, streams);
        }

        void submit(Durability asked, int priority, long timeToLive, List<Client> queues, List<Integer> streams) {
            if (!isOver()) {
                world.traffic.publish(asked, priority, timeToLive, 20, queues, streams);
            }
        }

        void submit(
                Durability asked, int priority, long timeToLive, int size, List<Client> queues, List<Integer> streams) {
            if (!isOver()) {
                world.traffic.publish(asked, priority, timeToLive, size, queues, streams);
            }
        }

        void produce() {
            if (!isOver()) {
                world.traffic.produce();
                work();
            }
        }

        SimulatedConsumer consume(Client queue, int credit) {
            SimulatedConsumer consumer = null;
            if (!isOver()) {
                consumer = new SimulatedConsumer(world, queue, false, false, credit);
                work();
            }
            return consumer;
        }

        void settle(SimulatedConsumer consumer, int how) {
            if (!isOver()) {
                assertThat(consumer.holds()).as("messages with the consumer").isPositive();
                consumer.settle(0, how);
                consumer.flushed();
                work();
            }
        }

        void releaseUntil(SimulatedConsumer consumer, boolean failed, long millis) {
            if (!isOver()) {
                assertThat(consumer.holds()).as("messages with the consumer").isPositive();
                consumer.releaseUntil(0, failed, millis);
                consumer.flushed();
                work();
            }
        }

        void transact(SimulatedConsumer consumer, List<Settlement> settlements, List<Client> to) {
            if (!isOver()) {
                assertThat(consumer.holds())
                        .as("messages with the consumer")
                        .isGreaterThanOrEqualTo(settlements.size());
                world.traffic.transact(consumer, settlements, to);
                work();
            }
        }

        void leave(SimulatedConsumer consumer) {
            if (!isOver()) {
                consumer.leave();
                work();
            }
        }

        void purge(Client queue) {
            if (!isOver()) {
                world.traffic.purge(queue, true);
            }
        }

        void delete(Client queue) {
            if (!isOver()) {
                world.delete(queue);
                work();
            }
        }

        /** Checkpoint, look at the disk, retention. */
        void tick() {
            if (!isOver()) {
                world.workers.tickAll();
                work();
            }
        }

        void pass(long millis) {
            if (!isOver()) {
                world.pass(millis);
                work();
            }
        }

        void work() {
            boolean more = true;
            for (int i = 0; i < 1_000 && more && !isOver(); i++) {
                more = world.work();
            }
        }
    }

    @BeforeEach
    void quiet() {
        LeakReports.start();
        level = log.getLevel();
        log.setLevel(Boolean.getBoolean("sluice.sim.log") ? Level.TRACE : Level.OFF);
    }

    @AfterEach
    void loud() {
        log.setLevel(level);
        LeakReports.assertNone();
    }

    @ParameterizedTest
    @EnumSource
    void aCrashAtAnyCallKeepsAllPromises(Script script) {
        int every = Integer.getInteger("sluice.sim.every", 23);
        long calls = play(script, 0, Stop.KILL, 0);
        assertThat(calls).as("calls of the script").isBetween(20L, 400L);
        for (int at = 1; at <= calls; at++) {
            if (every == 1) {
                play(script, at, Stop.KILL, 0);
                for (long disk = 1; disk <= 4; disk++) {
                    play(script, at, Stop.POWER_CUT, disk);
                }
            } else if (at % every == script.ordinal() % every) {
                play(script, at, at % 3 == 0 ? Stop.KILL : Stop.POWER_CUT, at);
            }
        }
    }

    /**
     * Plays a script.
     *
     * @param at the call to the disk with which the end comes; 0 = it ends by itself
     * @param disk what a power cut does to the disk follows from it
     * @return calls to the disk that the script made
     */
    private static long play(Script script, int at, Stop stop, long disk) {
        Random random = new Random(script.ordinal());
        CoreSimulation world = new CoreSimulation(random, script != Script.PRIORITIES_IN_SCRATCH_FILES);
        try {
            world.start(false);
            world.traffic.calm = true;
            long before = world.files.calls();
            world.files.onFailure(() -> world.faulty = true);
            if (at > 0) {
                world.files.failCall(at, true);
            }
            script.play(new Stage(world));
            long calls = world.files.calls() - before;
            world.files.onFailure(() -> {});
            world.queues.values().forEach(client -> client.live = null);
            random.setSeed(disk);
            world.end(stop);
            world.start(stop == Stop.POWER_CUT);
            world.traffic.finish();
            world.end(Stop.KILL);
            return calls;
        } catch (Throwable e) {
            throw new AssertionError(
                    script + " with " + stop + " at call " + at + " and disk " + disk + ": " + e.getMessage(), e);
        }
    }
}
