package io.sluice.server.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** An ext4 file system in a file, mounted through a loop device, that can lose its power. Linux, root. */
final class LoopDisk implements AutoCloseable {
    /** EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), with EXT4_GOING_FLAGS_NOLOGFLUSH. */
    private static final String SHUTDOWN = "import fcntl, os, struct, sys\n" + "d = os.open(sys.argv[1], os.O_RDONLY)\n"
            + "fcntl.ioctl(d, 0x8004587D, struct.pack('I', 2))\n";

    private final Path image;
    private final Path mountPoint;
    private int cuts;

    private LoopDisk(Path image, Path mountPoint) {
        this.image = image;
        this.mountPoint = mountPoint;
    }

    /** What this machine lacks, empty if nothing. */
    static String missing() throws Exception {
        if (!"0".equals(output("id", "-u"))) {
            return "they need root, this is user " + System.getProperty("user.name");
        }
        for (String tool : List.of("mkfs.ext4", "mount", "umount", "losetup", "python3")) {
            if (output("sh", "-c", "command -v " + tool + " || true").isEmpty()) {
                return tool + " is not installed";
            }
        }
        if (output("sh", "-c", "losetup -f 2>/dev/null || true").isEmpty()) {
            return "there is no free loop device";
        }
        return "";
    }

    /** Makes and mounts a file system. */
    static LoopDisk make(Path directory, int mebibytes) throws Exception {
        Path image = directory.resolve("disk.img");
        output("truncate", "-s", mebibytes + "M", image.toString());
        output("mkfs.ext4", "-q", "-F", image.toString());
        LoopDisk disk = new LoopDisk(image, Files.createDirectory(directory.resolve("disk")));
        disk.mount();
        return disk;
    }

    Path mountPoint() {
        return mountPoint;
    }

    int cuts() {
        return cuts;
    }

    /** Checks the tool itself: synced bytes survive a cut, others do not. */
    void provesThatUnsyncedDataIsLost() throws Exception {
        Path synced = mountPoint.resolve("synced");
        Path unsynced = mountPoint.resolve("unsynced");
        Files.write(synced, "kept".getBytes(UTF_8));
        try (FileChannel file = FileChannel.open(synced, StandardOpenOption.WRITE)) {
            file.force(true);
        }
        Files.write(unsynced, "lost".getBytes(UTF_8));
        cutPower();
        restore();
        assertThat(synced).hasContent("kept");
        assertThat(Files.exists(unsynced) ? Files.size(unsynced) : 0).isZero();
    }

    /** From now on nothing reaches the disk, and what waits in the page cache or the journal's memory never will. */
    void cutPower() throws Exception {
        output("python3", "-c", SHUTDOWN, mountPoint.toString());
        cuts++;
    }

    /** Mounts what is left; nobody may have a file open. */
    void restore() throws Exception {
        output("umount", mountPoint.toString());
        mount();
    }

    @Override
    public void close() throws Exception {
        output("umount", mountPoint.toString());
    }

    private void mount() throws Exception {
        output("mount", "-o", "loop", image.toString(), mountPoint.toString());
    }

    private static String output(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), UTF_8).trim();
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + text);
        }
        return text;
    }
}
