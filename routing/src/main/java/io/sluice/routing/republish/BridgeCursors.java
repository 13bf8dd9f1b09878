package io.sluice.routing.republish;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.log.LogPartition;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.replay.LogScan;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Cursors of bridges in the compacted stream {@code __bridges}: key {@code version(1)=1 bridge(8) partition(4)}, value {@code
 * version(1)=1 nextOffset(8)}, null when the bridge is gone.
 */
final class BridgeCursors {
    static final TargetSet TARGET =
            new TargetSet(List.of(), List.of(new StreamTarget(InternalStreams.id(InternalStreams.BRIDGES), 1)));

    private static final byte VERSION = 1;
    private static final int KEY_BYTES = 13;
    private static final int VALUE_BYTES = 9;

    private BridgeCursors() {}

    /** Names one cursor. */
    record Key(long bridge, int partition) {
        byte[] encode() {
            byte[] key = new byte[KEY_BYTES];
            Unpooled.wrappedBuffer(key)
                    .writerIndex(0)
                    .writeByte(VERSION)
                    .writeLong(bridge)
                    .writeInt(partition);
            return key;
        }
    }

    static byte[] value(long nextOffset) {
        byte[] value = new byte[VALUE_BYTES];
        Unpooled.wrappedBuffer(value).writerIndex(0).writeByte(VERSION).writeLong(nextOffset);
        return value;
    }

    /** Reads all cursors, blocking; before traffic. */
    static Map<Key, Long> read(LogPartition partition) {
        Map<Key, Long> cursors = new HashMap<>();
        LogScan.readAll(partition, record -> {
            ByteBuf in = record.buffer();
            int at = record.keyStart();
            checkVersion(record.keyLength() == KEY_BYTES ? in.getByte(at) : -1);
            Key key = new Key(in.getLong(at + 1), in.getInt(at + 9));
            Long offset = next(in, record.valueStart(), record.valueLength());
            if (offset == null) {
                cursors.remove(key);
            } else {
                cursors.put(key, offset);
            }
        });
        return cursors;
    }

    private static @Nullable Long next(ByteBuf in, int at, int length) {
        if (length < 0) {
            return null;
        }
        checkVersion(length == VALUE_BYTES ? in.getByte(at) : -1);
        return in.getLong(at + 1);
    }

    private static void checkVersion(int version) {
        if (version != VERSION) {
            throw new IllegalStateException("bridge cursor has version " + version + ", this broker reads " + VERSION);
        }
    }
}
