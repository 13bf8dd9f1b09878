package io.sluice.server.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Power cuts under mixed load, with the data directory on a file system of its own that is shut down without flushing its journal:
 * what was not synced is gone. Profile {@code power-cut}; needs root and loop devices.
 */
class PowerCutIT {
    @Test
    void confirmedMessagesSurvive(@TempDir Path directory) throws Exception {
        int rounds = Integer.getInteger("sluice.power.rounds", 0);
        assumeTrue(rounds > 0, "power cuts run with -Ppower-cut only");
        String missing = LoopDisk.missing();
        assumeTrue(missing.isEmpty(), "power cuts are skipped: " + missing);
        long seed = Long.getLong("sluice.power.seed", new Random().nextLong());
        System.out.println("power cuts: " + rounds + " rounds, -Dsluice.power.seed=" + seed);
        Path events = Files.createDirectories(Path.of("target", "power-cut").toAbsolutePath());
        Path log = events.resolve("broker.log");
        Files.deleteIfExists(log);
        try (LoopDisk disk = LoopDisk.make(directory, 2048)) {
            disk.provesThatUnsyncedDataIsLost();
            try (BrokerProcess broker = new BrokerProcess(disk.mountPoint().resolve("data"), log)) {
                CrashCampaign campaign = new CrashCampaign(
                        broker,
                        running -> {
                            disk.cutPower();
                            running.kill();
                            disk.restore();
                        },
                        seed,
                        events);
                campaign.run(rounds);
                broker.stop();
                DumpLog.check(broker.data(), true);
                campaign.check();
            }
            assertThat(disk.cuts()).isEqualTo(rounds + 1);
        }
    }
}
