package io.sluice.log.wal;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.zip.CRC32C;

/** Reads the entries of a write-ahead log after an unclean stop, in order, up to the first that is not whole. */
public final class WalReplay {
    /** Takes what the entries say. */
    public interface Sink {
        /** A batch of a committed pass, valid during the call. */
        void batch(PartitionId partition, ByteBuf bytes, int at, int length) throws IOException;

        /** Offsets below {@code offset} were visible. */
        void mention(PartitionId partition, long offset);
    }

    /**
     * What was read.
     *
     * @param lastSequence newest valid entry, or one below the start if there was none
     * @param lastFileNumber greatest file number seen, -1 if none
     * @param entries number of entries
     * @param bytes bytes of entries
     */
    public record Result(long lastSequence, long lastFileNumber, long entries, long bytes) {}

    private record Source(StorageFile file, long number, long firstSequence, long size) {}

    private WalReplay() {}

    /**
     * Replays all entries from {@code fromSequence} on.
     *
     * @throws LogException UNSUPPORTED_FORMAT if a file has another version
     */
    public static Result replay(FileSystem files, Path directory, long fromSequence, Sink sink) throws IOException {
        List<Source> sources = open(files, directory);
        long lastFile = -1;
        try {
            for (Source source : sources) {
                lastFile = Math.max(lastFile, source.number());
            }
            int start = sources.size() - 1;
            while (start >= 0 && sources.get(start).firstSequence() > fromSequence) {
                start--;
            }
            long expected = start < 0 ? fromSequence : sources.get(start).firstSequence();
            long entries = 0;
            long bytes = 0;
            for (int i = Math.max(0, start); i < sources.size(); i++) {
                Source source = sources.get(i);
                if (source.firstSequence() != expected) {
                    break;
                }
                Reader reader = new Reader(source, expected);
                while (reader.next()) {
                    if (expected >= fromSequence) {
                        reader.deliver(sink);
                        entries++;
                        bytes += reader.size();
                    }
                    expected++;
                }
            }
            long last = Math.max(fromSequence - 1, expected - 1);
            return new Result(last, lastFile, entries, bytes);
        } finally {
            for (Source source : sources) {
                source.file().close();
            }
        }
    }

    private static List<Source> open(FileSystem files, Path directory) throws IOException {
        List<Source> sources = new ArrayList<>();
        for (String name : files.list(directory)) {
            if (!name.endsWith(".wal")) {
                continue;
            }
            StorageFile file = files.open(directory.resolve(name), false);
            ByteBuffer header = ByteBuffer.allocate(WalFormat.FILE_HEADER);
            boolean whole = file.readFully(0, header);
            CRC32C crc = new CRC32C();
            crc.update(header.array(), 0, WalFormat.FILE_HEADER_CRC);
            if (!whole
                    || header.getInt(0) != WalFormat.FILE_MAGIC
                    || header.getInt(WalFormat.FILE_HEADER_CRC) != (int) crc.getValue()) {
                file.close();
                continue;
            }
            if (header.getInt(4) != WalFormat.VERSION) {
                file.close();
                throw new LogException(
                        Reason.UNSUPPORTED_FORMAT,
                        name + " has version " + header.getInt(4) + ", known is " + WalFormat.VERSION);
            }
            sources.add(new Source(file, header.getLong(8), header.getLong(16), file.size()));
        }
        sources.sort(Comparator.comparingLong(Source::firstSequence));
        return sources;
    }

    private static final class Reader {
        private static final int PIECE = 1 << 20;
        private final Source source;
        private long sequence;
        // Direct, or each read would be copied twice.
        private ByteBuffer bytes = ByteBuffer.allocateDirect(PIECE);
        private ByteBuf view = Unpooled.wrappedBuffer(bytes);
        private long from;
        private int available;
        private long position = WalFormat.FILE_HEADER;
        private int size;

        Reader(Source source, long sequence) {
            this.source = source;
            this.sequence = sequence;
        }

        int size() {
            return size;
        }

        boolean next() throws IOException {
            position += size;
            size = 0;
            if (read()) {
                return true;
            }
            long block = (position + WalFormat.BLOCK - 1) / WalFormat.BLOCK * WalFormat.BLOCK;
            if (block == position) {
                return false;
            }
            position = block;
            return read();
        }

        private boolean read() throws IOException {
            if (!load(WalFormat.ENTRY_HEADER)) {
                return false;
            }
            int at = index();
            int body = bytes.getInt(at + 4);
            if (bytes.getInt(at) != WalFormat.ENTRY_MAGIC || bytes.getLong(at + 8) != sequence || body < 0) {
                return false;
            }
            long whole = (long) WalFormat.ENTRY_HEADER + body + WalFormat.TRAILER;
            if (position + whole > source.size() || !load((int) whole)) {
                return false;
            }
            at = index();
            CRC32C crc = new CRC32C();
            int covered = WalFormat.ENTRY_HEADER + body;
            crc.update(bytes.duplicate().limit(at + covered).position(at));
            if (bytes.getInt(at + covered) != (int) crc.getValue()) {
                return false;
            }
            size = (int) whole;
            sequence++;
            return true;
        }

        void deliver(Sink sink) throws IOException {
            int at = index();
            int batches = bytes.getInt(at + 16);
            int mentions = bytes.getInt(at + 20);
            at += WalFormat.ENTRY_HEADER;
            for (int i = 0; i < batches; i++) {
                PartitionId partition = partition(at);
                int length = bytes.getInt(at + 20);
                at += WalFormat.BATCH_HEADER;
                sink.batch(partition, view, at, length);
                at += length;
            }
            for (int i = 0; i < mentions; i++) {
                sink.mention(partition(at), bytes.getLong(at + 20));
                at += WalFormat.MENTION;
            }
        }

        private PartitionId partition(int at) {
            return new PartitionId(
                    new StreamId(new UUID(bytes.getLong(at), bytes.getLong(at + 8))), bytes.getInt(at + 16));
        }

        private int index() {
            return (int) (position - from);
        }

        private boolean load(int wanted) throws IOException {
            if (available > 0 && position + wanted <= from + available) {
                return true;
            }
            if (position + wanted > source.size()) {
                return false;
            }
            if (wanted > bytes.capacity()) {
                bytes = ByteBuffer.allocateDirect(wanted);
                view = Unpooled.wrappedBuffer(bytes);
            }
            bytes.clear().limit((int) Math.min(bytes.capacity(), source.size() - position));
            source.file().readFully(position, bytes);
            from = position;
            available = bytes.position();
            return available >= wanted;
        }
    }
}
