package io.sluice.engine.local;

import io.sluice.io.Entropy;
import io.sluice.io.FileSystem;
import io.sluice.log.recovery.DurableFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Base64;
import java.util.UUID;

/**
 * Who this data directory is.
 *
 * @param clusterId 22 characters of URL-safe base64 over a random UUID, as Kafka's
 * @param nodeId identity of the node
 */
record NodeIdentity(String clusterId, int nodeId) {
    private static final String FILE = "node.meta";
    private static final int MAGIC = 0x534C4E44; // SLND
    private static final int VERSION = 1;

    /** Reads it, or makes it at the first start. */
    static NodeIdentity load(FileSystem files, Path directory, int nodeId, Entropy entropy) throws IOException {
        ByteBuffer bytes = DurableFiles.read(files, directory.resolve(FILE), MAGIC, VERSION);
        if (bytes == null) {
            UUID random = entropy.uuid();
            ByteBuffer fresh = ByteBuffer.allocate(32);
            fresh.putInt(MAGIC).putInt(VERSION);
            fresh.putLong(random.getMostSignificantBits()).putLong(random.getLeastSignificantBits());
            fresh.putInt(nodeId);
            DurableFiles.replace(files, directory, FILE, DurableFiles.withChecksum(fresh));
            return of(random, nodeId);
        }
        return of(new UUID(bytes.getLong(), bytes.getLong()), bytes.getInt());
    }

    private static NodeIdentity of(UUID cluster, int nodeId) {
        ByteBuffer bytes = ByteBuffer.allocate(16);
        bytes.putLong(cluster.getMostSignificantBits()).putLong(cluster.getLeastSignificantBits());
        return new NodeIdentity(Base64.getUrlEncoder().withoutPadding().encodeToString(bytes.array()), nodeId);
    }
}
