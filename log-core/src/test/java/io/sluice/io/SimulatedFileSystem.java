package io.sluice.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A disk in memory that keeps what was synced and, at a power cut, keeps, loses, tears (at 512-byte sectors) and reorders what was
 * not. Names of a directory survive up to a random one of the changes made since its last sync. Single-threaded.
 */
public final class SimulatedFileSystem implements FileSystem {
    private static final int SECTOR = 512;
    private static final int BLOCK = 4096;

    private final Random random;
    private Map<Path, Node> names = new HashMap<>();
    private Map<Path, Node> durableNames = new HashMap<>();
    private Map<Path, List<NameChange>> unsyncedNames = new HashMap<>();
    private long calls;
    private long failAt = Long.MAX_VALUE;
    private boolean failForGood;
    private Runnable onFailure = () -> {};
    private int generation;
    private long usable = 1L << 40;
    private long capacity = Long.MAX_VALUE;
    private Path unreadable;

    public SimulatedFileSystem(Random random) {
        this.random = random;
    }

    private static final class Node {
        final boolean directory;
        byte[] data = new byte[0];
        int size;
        byte[] durable = new byte[0];
        final List<Change> unsynced = new ArrayList<>();

        Node(boolean directory) {
            this.directory = directory;
        }
    }

    /** A write at a position, or, with null bytes, a truncation to it. */
    private record Change(long position, byte[] bytes) {}

    /** A new meaning of a name; null = removed. A rename is two of them in one. */
    private record NameChange(Path gone, Path name, Node node) {}

    /** The n-th call from now on fails, and all later ones if {@code forGood} (the machine is gone). */
    public void failCall(long n, boolean forGood) {
        failAt = calls + n;
        failForGood = forGood;
    }

    /** The process is dead: no call works any more. What it wrote stays in the page cache. */
    public void kill() {
        failCall(1, true);
    }

    /** A new process: calls work, files that the old one had open stay broken. */
    public void revive() {
        generation++;
        failAt = Long.MAX_VALUE;
    }

    /** Told of each call that is made to fail. */
    public void onFailure(Runnable listener) {
        onFailure = listener;
    }

    /** No failure is waiting. */
    public void heal() {
        failAt = Long.MAX_VALUE;
    }

    /** Files in this directory cannot be read; null = all can. */
    public void unreadable(Path directory) {
        unreadable = directory;
    }

    public void usable(long bytes) {
        usable = bytes;
    }

    /** Size of the disk; files cannot grow beyond it. */
    public void capacity(long bytes) {
        capacity = bytes;
    }

    /** Bytes that files take. */
    public long used() {
        long bytes = 0;
        for (Node node : names.values()) {
            bytes += node.size;
        }
        return bytes;
    }

    private void grow(Path path, long bytes) throws NoSpaceException {
        if (capacity < Long.MAX_VALUE && used() + bytes > capacity) {
            throw new NoSpaceException("no space left for " + path);
        }
    }

    public long calls() {
        return calls;
    }

    /** Power is cut and comes back; files still open from before fail. */
    public void powerCut() {
        generation++;
        failAt = Long.MAX_VALUE;
        unsyncedNames.forEach((directory, changes) -> {
            int kept = random.nextInt(changes.size() + 1);
            for (NameChange change : changes.subList(0, kept)) {
                apply(durableNames, change);
            }
        });
        unsyncedNames = new HashMap<>();
        durableNames.keySet().removeIf(path -> {
            for (Path up = path.getParent(); up != null && up.getNameCount() > 1; up = up.getParent()) {
                if (!durableNames.containsKey(up)) {
                    return true;
                }
            }
            return false;
        });
        names = new HashMap<>(durableNames);
        for (Node node : names.values()) {
            cut(node);
        }
    }

    private void cut(Node node) {
        byte[] disk = node.durable;
        List<Change> changes = new ArrayList<>(node.unsynced);
        int mode = random.nextInt(4);
        if (mode == 0) {
            changes.clear();
        } else if (mode == 1) {
            Collections.shuffle(changes, random);
        }
        for (Change change : changes) {
            if (mode != 3 && random.nextInt(3) == 0) {
                continue;
            }
            if (change.bytes() == null) {
                if (change.position() < disk.length) {
                    disk = Arrays.copyOf(disk, (int) change.position());
                }
                continue;
            }
            boolean torn = mode != 3 && random.nextInt(3) == 0;
            int end = (int) change.position() + change.bytes().length;
            for (int at = (int) change.position(); at < end; ) {
                int sectorEnd = Math.min(end, (at / SECTOR + 1) * SECTOR);
                if (!torn || random.nextBoolean()) {
                    if (disk.length < sectorEnd) {
                        disk = Arrays.copyOf(disk, sectorEnd);
                    }
                    System.arraycopy(change.bytes(), at - (int) change.position(), disk, at, sectorEnd - at);
                }
                at = sectorEnd;
            }
        }
        node.durable = disk;
        node.data = disk.clone();
        node.size = disk.length;
        node.unsynced.clear();
    }

    private void call() throws IOException {
        calls++;
        if (calls == failAt || failForGood && calls > failAt) {
            onFailure.run();
            throw new IOException("simulated failure of call " + calls);
        }
    }

    private void change(NameChange change) {
        apply(names, change);
        unsyncedNames
                .computeIfAbsent(change.name().getParent(), d -> new ArrayList<>())
                .add(change);
    }

    private static void apply(Map<Path, Node> names, NameChange change) {
        if (change.gone() != null) {
            // A directory takes its content along.
            Map<Path, Node> moved = new HashMap<>();
            names.entrySet().removeIf(entry -> {
                boolean inside = entry.getKey().startsWith(change.gone());
                if (inside && change.node() != null) {
                    Path rest = change.gone().relativize(entry.getKey());
                    moved.put(
                            rest.toString().isEmpty()
                                    ? change.name()
                                    : change.name().resolve(rest),
                            entry.getValue());
                }
                return inside;
            });
            names.putAll(moved);
        }
        if (change.node() == null) {
            names.remove(change.name());
        } else {
            names.put(change.name(), change.node());
        }
    }

    @Override
    public StorageFile open(Path path, boolean create) throws IOException {
        call();
        Node node = names.get(path);
        if (node == null) {
            if (!create) {
                throw new IOException("no such file " + path);
            }
            if (!names.containsKey(path.getParent()) && path.getParent().getNameCount() > 1) {
                throw new IOException("no such directory " + path.getParent());
            }
            node = new Node(false);
            change(new NameChange(null, path, node));
        }
        return new SimulatedFile(path, node, generation, false);
    }

    @Override
    public StorageFile openDirect(Path path) throws IOException {
        call();
        Node node = names.get(path);
        if (node == null) {
            throw new IOException("no such file " + path);
        }
        return new SimulatedFile(path, node, generation, true);
    }

    @Override
    public boolean exists(Path path) {
        return names.containsKey(path);
    }

    @Override
    public List<String> list(Path directory) {
        return names.keySet().stream()
                .filter(path -> directory.equals(path.getParent()))
                .map(path -> path.getFileName().toString())
                .sorted()
                .toList();
    }

    @Override
    public void createDirectories(Path directory) throws IOException {
        call();
        if (directory.getParent() != null && directory.getParent().getNameCount() > 0 && !exists(directory)) {
            createDirectories(directory.getParent());
        }
        if (!exists(directory)) {
            change(new NameChange(null, directory, new Node(true)));
        }
    }

    @Override
    public void syncDirectory(Path directory) throws IOException {
        call();
        List<NameChange> changes = unsyncedNames.remove(directory);
        if (changes != null) {
            changes.forEach(change -> apply(durableNames, change));
        }
    }

    @Override
    public void delete(Path path) throws IOException {
        call();
        if (exists(path)) {
            change(new NameChange(null, path, null));
        }
    }

    @Override
    public void rename(Path from, Path to) throws IOException {
        call();
        Node node = names.get(from);
        if (node == null) {
            throw new IOException("no such file " + from);
        }
        change(new NameChange(from, to, node));
    }

    @Override
    public Space space(Path path) {
        return new Space(
                Math.min(1L << 40, capacity), capacity == Long.MAX_VALUE ? usable : Math.max(0, capacity - used()));
    }

    private final class SimulatedFile implements StorageFile {
        private final Path path;
        private final Node node;
        private final int born;
        private final boolean direct;

        SimulatedFile(Path path, Node node, int born, boolean direct) {
            this.path = path;
            this.node = node;
            this.born = born;
            this.direct = direct;
        }

        private void check() throws IOException {
            call();
            if (born != generation) {
                throw new IOException("file of a machine that lost power");
            }
        }

        @Override
        public int read(long position, ByteBuffer target) throws IOException {
            check();
            if (unreadable != null && path.startsWith(unreadable)) {
                throw new IOException("simulated unreadable file " + path);
            }
            if (position >= node.size) {
                return -1;
            }
            int length = (int) Math.min(target.remaining(), node.size - position);
            target.put(node.data, (int) position, length);
            return length;
        }

        @Override
        public void write(long position, ByteBuffer source) throws IOException {
            check();
            byte[] bytes = new byte[source.remaining()];
            source.get(bytes);
            int end = (int) position + bytes.length;
            if (end > node.size) {
                grow(path, end - node.size);
            }
            if (node.data.length < end) {
                node.data = Arrays.copyOf(node.data, Math.max(end, node.data.length * 2));
            }
            System.arraycopy(bytes, 0, node.data, (int) position, bytes.length);
            node.size = Math.max(node.size, end);
            Change change = new Change(position, bytes);
            node.unsynced.add(change);
            if (direct) {
                if (position % BLOCK != 0 || bytes.length % BLOCK != 0 || end > node.durable.length) {
                    throw new IOException("direct write of " + bytes.length + " bytes at " + position);
                }
                check();
                System.arraycopy(bytes, 0, node.durable, (int) position, bytes.length);
                node.unsynced.remove(change);
                forget(position, end);
            }
        }

        /** What was written here before and never synced, such as a direct write that failed, cannot come back any more. */
        private void forget(long from, long to) {
            List<Change> before = List.copyOf(node.unsynced);
            node.unsynced.clear();
            for (Change change : before) {
                byte[] bytes = change.bytes();
                long start = change.position();
                if (bytes == null || start >= to || start + bytes.length <= from) {
                    node.unsynced.add(change);
                    continue;
                }
                if (start < from) {
                    node.unsynced.add(new Change(start, Arrays.copyOf(bytes, (int) (from - start))));
                }
                if (start + bytes.length > to) {
                    node.unsynced.add(new Change(to, Arrays.copyOfRange(bytes, (int) (to - start), bytes.length)));
                }
            }
        }

        @Override
        public void load(long position, int size) throws IOException {
            check();
        }

        @Override
        public long size() throws IOException {
            check();
            return node.size;
        }

        @Override
        public void truncate(long size) throws IOException {
            check();
            if (size < node.size) {
                Arrays.fill(node.data, (int) size, node.size, (byte) 0);
                node.size = (int) size;
                node.unsynced.add(new Change(size, null));
            }
        }

        @Override
        public void sync(boolean metadata) throws IOException {
            check();
            node.durable = Arrays.copyOf(node.data, node.size);
            node.unsynced.clear();
        }

        @Override
        public FileChannel channel() {
            return null;
        }

        @Override
        public void close() {}
    }
}
