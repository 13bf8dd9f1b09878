package io.sluice.log.wal;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.io.SimulatedFileSystem;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class WriteAheadLogTest {
    private static final Path DIRECTORY = Path.of("/wal");
    private static final PartitionId PARTITION = new PartitionId(new StreamId(new UUID(1, 2)), 0);

    @Test
    void aFileThatTheLastRunWasStillLayingOutHoldsWhatIsConfirmedInIt() throws IOException {
        boolean whole = false;
        for (int call = 1; !whole; call++) {
            for (int seed = 0; seed < 10; seed++) {
                SimulatedFileSystem files = new SimulatedFileSystem(new Random(seed));
                files.createDirectories(DIRECTORY);
                files.syncDirectory(DIRECTORY.getParent());
                files.failCall(call, true);
                whole = preparesWhole(files);
                files.revive();

                WriteAheadLog log = log(files);
                log.adopt();
                Confirmations confirmations = new Confirmations();
                WalPass pass = new WalPass(confirmations, 7, () -> {});
                ByteBuf batch = Unpooled.copiedBuffer("confirmed", StandardCharsets.UTF_8);
                pass.add(PARTITION, batch, 0, batch.readableBytes());
                batch.release();
                log.submit(pass);
                assertThat(confirmations.durable).containsExactly(7L);
                files.powerCut();

                List<String> found = new ArrayList<>();
                WalReplay.replay(files, DIRECTORY, 1, new WalReplay.Sink() {
                    @Override
                    public void batch(PartitionId partition, ByteBuf bytes, int at, int length) {
                        found.add(bytes.toString(at, length, StandardCharsets.UTF_8));
                    }

                    @Override
                    public void mention(PartitionId partition, long offset) {}
                });
                assertThat(found).as("call %s fails, seed %s", call, seed).containsExactly("confirmed");
            }
        }
    }

    private static boolean preparesWhole(SimulatedFileSystem files) {
        try {
            log(files).prepare();
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private static WriteAheadLog log(SimulatedFileSystem files) {
        return new WriteAheadLog(files, DIRECTORY, 16 << 10, 1, 0, Runnable::run, () -> null, () -> {}, () -> {});
    }

    private static final class Confirmations implements WalPass.Listener {
        final List<Long> durable = new ArrayList<>();

        @Override
        public void passesDurable(long number, Runnable wakeUp) {
            durable.add(number);
        }

        @Override
        public void passesFailed(Runnable wakeUp) {}
    }
}
