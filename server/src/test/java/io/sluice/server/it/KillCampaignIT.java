package io.sluice.server.it;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGKILL under mixed load: nothing confirmed is lost, nothing is invented, first deliveries keep their order, and Kafka's own
 * tool finds no invalid batch in any segment. {@code -Dsluice.kill.rounds=100} for the long run, {@code -Dsluice.kill.seed=N} to
 * repeat one; the events of a run are in {@code target/kill-campaign}.
 */
class KillCampaignIT {
    @Test
    void confirmedMessagesSurvive(@TempDir Path directory) throws Exception {
        int rounds = Integer.getInteger("sluice.kill.rounds", 5);
        long seed = Long.getLong("sluice.kill.seed", new Random().nextLong());
        System.out.println("kill campaign: " + rounds + " rounds, -Dsluice.kill.seed=" + seed);
        Path events = Files.createDirectories(Path.of("target", "kill-campaign").toAbsolutePath());
        Path log = events.resolve("broker.log");
        Files.deleteIfExists(log);
        try (BrokerProcess broker = new BrokerProcess(directory.resolve("data"), log)) {
            CrashCampaign campaign = new CrashCampaign(broker, BrokerProcess::kill, seed, events);
            campaign.run(rounds);
            broker.kill();
            DumpLog.check(broker.data(), false);
            broker.start();
            broker.stop();
            DumpLog.check(broker.data(), true);
            campaign.check();
            campaign.checkRedeliveries(rounds);
        }
    }
}
