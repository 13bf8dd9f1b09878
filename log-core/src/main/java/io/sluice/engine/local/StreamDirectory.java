package io.sluice.engine.local;

import io.sluice.io.FileSystem;
import io.sluice.log.Durability;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.log.recovery.DurableFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Directories and descriptors of streams: {@code streams/<uuid>/stream.meta}, {@code streams/<uuid>/<partition>/}. A directory
 * without a descriptor is a creation that never completed; one named {@code *.deleted} a deletion that did not finish. Engine
 * thread only.
 */
final class StreamDirectory {
    private static final int MAGIC = 0x534C534D; // SLSM
    private static final int VERSION = 2;
    private static final String DESCRIPTOR = "stream.meta";
    private static final String DELETED = ".deleted";

    private final FileSystem files;
    private final Path root;

    StreamDirectory(FileSystem files, Path root) {
        this.files = files;
        this.root = root;
    }

    Path stream(StreamId id) {
        return root.resolve(id.uuid().toString());
    }

    Path partition(StreamId id, int index) {
        return stream(id).resolve(Integer.toString(index));
    }

    /** Makes partition directories and then the descriptor, which makes the stream exist. */
    void create(StreamInfo info) throws IOException {
        Path directory = stream(info.id());
        files.createDirectories(directory);
        addPartitions(info, 0);
        write(info);
        files.syncDirectory(root);
    }

    void addPartitions(StreamInfo info, int from) throws IOException {
        for (int i = from; i < info.partitions(); i++) {
            files.createDirectories(partition(info.id(), i));
        }
        files.syncDirectory(stream(info.id()));
    }

    void write(StreamInfo info) throws IOException {
        byte[] name = info.name().getBytes(StandardCharsets.UTF_8);
        StreamConfig config = info.config();
        Durability durability = config.durability();
        ByteBuffer bytes = ByteBuffer.allocate(160 + name.length);
        bytes.putInt(MAGIC).putInt(VERSION).putInt(name.length).put(name).putInt(info.partitions());
        bytes.putLong(config.segmentBytes())
                .putLong(config.segmentMillis())
                .putLong(config.retentionMillis())
                .putLong(config.retentionBytes())
                .put((byte) (config.compact() ? 1 : 0))
                .put((byte) (config.delete() ? 1 : 0))
                .putInt(config.maxBatchBytes())
                .put((byte) (config.logAppendTime() ? 1 : 0))
                .put((byte) (durability == null ? 0 : durability.name().charAt(0)))
                .putLong(config.tombstoneMillis())
                .put((byte) (config.journal() ? 1 : 0));
        DurableFiles.replace(files, stream(info.id()), DESCRIPTOR, DurableFiles.withChecksum(bytes));
    }

    /** Takes the stream's name away durably, then its files. */
    void delete(StreamId id) throws IOException {
        Path gone = root.resolve(id.uuid() + DELETED);
        files.rename(stream(id), gone);
        files.syncDirectory(root);
        deleteTree(gone);
    }

    /** All streams; finishes deletions and undoes creations that were cut off. */
    List<StreamInfo> load() throws IOException {
        List<StreamInfo> found = new ArrayList<>();
        for (String name : files.list(root)) {
            Path directory = root.resolve(name);
            StreamId id = idOf(name);
            StreamInfo info = id == null ? null : read(id);
            if (info == null) {
                deleteTree(directory);
                continue;
            }
            for (int i = 0; i < info.partitions(); i++) {
                files.createDirectories(partition(info.id(), i));
            }
            found.add(info);
        }
        return found;
    }

    private @Nullable StreamInfo read(StreamId id) throws IOException {
        ByteBuffer bytes = DurableFiles.read(files, stream(id).resolve(DESCRIPTOR), MAGIC, VERSION);
        if (bytes == null) {
            return null;
        }
        byte[] name = new byte[bytes.getInt()];
        bytes.get(name);
        int partitions = bytes.getInt();
        long segmentBytes = bytes.getLong();
        long segmentMillis = bytes.getLong();
        long retentionMillis = bytes.getLong();
        long retentionBytes = bytes.getLong();
        boolean compact = bytes.get() != 0;
        boolean delete = bytes.get() != 0;
        int maxBatchBytes = bytes.getInt();
        boolean logAppendTime = bytes.get() != 0;
        Durability durability = durability(bytes.get());
        long tombstoneMillis = bytes.getLong();
        boolean journal = bytes.get() != 0;
        return new StreamInfo(
                id,
                new String(name, StandardCharsets.UTF_8),
                partitions,
                new StreamConfig(
                        segmentBytes,
                        segmentMillis,
                        retentionMillis,
                        retentionBytes,
                        compact,
                        delete,
                        maxBatchBytes,
                        logAppendTime,
                        durability,
                        tombstoneMillis,
                        journal));
    }

    private static @Nullable Durability durability(byte initial) {
        for (Durability level : Durability.values()) {
            if (level.name().charAt(0) == initial) {
                return level;
            }
        }
        return null;
    }

    private static @Nullable StreamId idOf(String name) {
        try {
            return new StreamId(UUID.fromString(name));
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private void deleteTree(Path path) throws IOException {
        for (String name : files.list(path)) {
            deleteTree(path.resolve(name));
        }
        files.delete(path);
    }
}
