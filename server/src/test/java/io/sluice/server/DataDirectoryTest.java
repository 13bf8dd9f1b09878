package io.sluice.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataDirectoryTest {
    @TempDir
    Path dir;

    @Test
    void secondBrokerIsRefusedWithTheFirstOnesProcess() throws IOException {
        try (DataDirectory first = DataDirectory.lock(dir)) {
            assertThat(first.path()).isEqualTo(dir);
            assertThatThrownBy(() -> DataDirectory.lock(dir))
                    .isInstanceOf(StartException.class)
                    .hasMessageContaining("in use by another broker (process "
                            + ProcessHandle.current().pid() + ")")
                    .hasMessageContaining("--data");
        }
        DataDirectory.lock(dir).close();
    }

    @Test
    void refusalLeavesTheFirstLockAlone() throws IOException {
        try (DataDirectory first = DataDirectory.lock(dir)) {
            first.publish("http://127.0.0.1:1");
            assertThatThrownBy(() -> DataDirectory.lock(dir)).isInstanceOf(StartException.class);
            assertThat(DataDirectory.managementUrl(dir)).contains("http://127.0.0.1:1");
        }
        assertThat(DataDirectory.managementUrl(dir)).isEmpty();
    }

    @Test
    void newDirectoryIsClosedToOthers() throws IOException {
        Path made = dir.resolve("a/b");

        DataDirectory.lock(made).close();

        assertThat(Files.getPosixFilePermissions(made))
                .doesNotContain(
                        PosixFilePermission.OTHERS_READ,
                        PosixFilePermission.OTHERS_WRITE,
                        PosixFilePermission.OTHERS_EXECUTE,
                        PosixFilePermission.GROUP_WRITE);
    }

    @Test
    void fileInPlaceOfTheDirectoryIsOneSentence() throws IOException {
        Path file = Files.writeString(dir.resolve("file"), "x");

        assertThatThrownBy(() -> DataDirectory.lock(file))
                .isInstanceOf(StartException.class)
                .hasMessageContaining("is a file");
    }

    @Test
    void noUrlWhereNoBrokerRuns() {
        assertThat(DataDirectory.managementUrl(dir)).isEmpty();
    }
}
