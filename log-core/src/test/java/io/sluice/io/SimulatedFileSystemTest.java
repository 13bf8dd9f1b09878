package io.sluice.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The simulated disk itself: what a disk can do, and nothing that no disk does. */
class SimulatedFileSystemTest {
    private static final Path FILE = Path.of("/f");
    private static final int BLOCK = 4096;

    @Test
    void aFailedDirectWriteDoesNotComeBackOverALaterOneThatWorked() throws IOException {
        for (int seed = 0; seed < 50; seed++) {
            SimulatedFileSystem files = new SimulatedFileSystem(new Random(seed));
            try (StorageFile laidOut = files.open(FILE, true)) {
                laidOut.write(0, block(0));
                laidOut.write(BLOCK, block(0));
                laidOut.sync(true);
            }
            files.syncDirectory(FILE.getParent());
            StorageFile direct = files.openDirect(FILE);
            // the second call of a direct write is the one that the disk answers
            files.failCall(2, false);
            assertThatThrownBy(() -> direct.write(0, block(1))).isInstanceOf(IOException.class);

            direct.write(0, block(2));
            files.powerCut();

            ByteBuffer read = ByteBuffer.allocate(BLOCK);
            files.open(FILE, false).readFully(0, read);
            assertThat(read.array()).as("seed %s", seed).containsOnly(2);
        }
    }

    private static ByteBuffer block(int of) {
        byte[] bytes = new byte[BLOCK];
        Arrays.fill(bytes, (byte) of);
        return ByteBuffer.wrap(bytes);
    }
}
