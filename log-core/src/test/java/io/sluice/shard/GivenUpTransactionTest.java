package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.sluice.io.LeakReports;
import io.sluice.log.Durability;
import io.sluice.queue.QueuePolicy;
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
 * The disk fails under a transaction: its client is told so, its deliveries go to other consumers, and what these do with them does
 * not make the transaction one that was in force.
 */
class GivenUpTransactionTest {
    private static final int REJECT = 18;
    private final Logger log = (Logger) LoggerFactory.getLogger("io.sluice");
    private Level level;

    @BeforeEach
    void quiet() {
        LeakReports.start();
        level = log.getLevel();
        log.setLevel(Level.OFF);
    }

    @AfterEach
    void loud() {
        log.setLevel(level);
        LeakReports.assertNone();
    }

    @ParameterizedTest
    @EnumSource
    void whatItSettledIsThereAfterARestartThoughAnotherConsumerRejectedIt(Settlement how) {
        CoreSimulation world = new CoreSimulation(new Random(1), true);
        world.start(false);
        world.traffic.calm = true;
        Client dead = world.createQueue(QueuePolicy.NONE, true, null);
        Client queue =
                world.createQueue(QueuePolicy.builder().deadLetterExchange("").build(), true, dead);
        rest(world);
        world.traffic.publish(Durability.GROUP, 0, -1, 20, List.of(queue), List.of());
        SimulatedConsumer first = new SimulatedConsumer(world, queue, false, false, 10);
        rest(world);
        assertThat(first.holds()).isEqualTo(1);

        world.files.onFailure(() -> world.faulty = true);
        world.files.failCall(1, true);
        world.traffic.transact(first, List.of(how), List.of(dead));
        rest(world);
        assertThat(world.faulty).as("the disk failed").isTrue();
        assertThat(first.gone).as("the transaction failed").isTrue();
        SimulatedConsumer second = new SimulatedConsumer(world, queue, false, false, 10);
        rest(world);
        assertThat(second.holds()).as("delivered again").isEqualTo(1);
        second.settle(0, REJECT);
        second.flushed();
        rest(world);

        world.files.onFailure(() -> {});
        world.end(Stop.KILL);
        world.start(false);
        assertThat(queue.ref.stats().ready()).isEqualTo(1);
        assertThat(dead.ref.stats().ready()).isZero();
        world.traffic.finish();
        world.end(Stop.KILL);
    }

    private static void rest(CoreSimulation world) {
        for (int i = 0; i < 1_000 && world.work(); i++) {
            // until nobody has anything to do
        }
    }
}
