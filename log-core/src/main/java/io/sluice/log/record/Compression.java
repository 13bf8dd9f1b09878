package io.sluice.log.record;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.ByteBufOutputStream;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import net.jpountz.lz4.LZ4FrameInputStream;
import net.jpountz.lz4.LZ4FrameOutputStream;
import org.xerial.snappy.Snappy;
import org.xerial.snappy.SnappyOutputStream;

/**
 * Compression and decompression as Kafka's clients do it: gzip, snappy in xerial's framing (16-byte header, then chunks with a 4-byte length)
 * or bare, LZ4 frames, zstd. The output is bounded, since the compressed size says nothing about it.
 */
final class Compression {
    static final int GZIP = 1;
    static final int SNAPPY = 2;
    static final int LZ4 = 3;
    static final int ZSTD = 4;

    private static final long XERIAL_MAGIC = 0x82534E4150505900L;
    private static final int XERIAL_HEADER = 16;

    private Compression() {}

    /** Decompresses a range into a buffer of the caller's. */
    static ByteBuf decompress(
            int codec, ByteBuf source, int index, int length, ByteBufAllocator allocator, int maxBytes) {
        ByteBuf out = allocator.directBuffer(Math.max(256, (int) Math.min(maxBytes, 4L * length)));
        boolean done = false;
        try {
            switch (codec) {
                case GZIP -> copy(new GZIPInputStream(stream(source, index, length), 8192), out, maxBytes);
                case SNAPPY -> snappy(source, index, length, out, maxBytes);
                case LZ4 -> copy(new LZ4FrameInputStream(stream(source, index, length)), out, maxBytes);
                case ZSTD -> copy(new ZstdInputStreamNoFinalizer(stream(source, index, length)), out, maxBytes);
                default -> throw new LogException(Reason.UNSUPPORTED_FORMAT, "unknown compression codec " + codec);
            }
            done = true;
            return out;
        } catch (IOException e) {
            throw new LogException(Reason.CORRUPT_BATCH, "record batch does not decompress: " + e.getMessage(), e);
        } finally {
            if (!done) {
                out.release();
            }
        }
    }

    /** Compresses all readable bytes to the end of {@code out}. */
    static void compress(int codec, ByteBuf records, ByteBuf out) {
        try (OutputStream to = switch (codec) {
            case GZIP -> new GZIPOutputStream(new ByteBufOutputStream(out), 8192);
            case SNAPPY -> new SnappyOutputStream(new ByteBufOutputStream(out));
            case LZ4 ->
                new LZ4FrameOutputStream(
                        new ByteBufOutputStream(out),
                        LZ4FrameOutputStream.BLOCKSIZE.SIZE_64KB,
                        LZ4FrameOutputStream.FLG.Bits.BLOCK_INDEPENDENCE);
            case ZSTD -> new ZstdOutputStreamNoFinalizer(new ByteBufOutputStream(out));
            default -> throw new LogException(Reason.UNSUPPORTED_FORMAT, "unknown compression codec " + codec);
        }) {
            records.getBytes(records.readerIndex(), to, records.readableBytes());
        } catch (IOException e) {
            throw new UncheckedIOException("compressing in memory failed", e);
        }
    }

    private static InputStream stream(ByteBuf source, int index, int length) {
        return new ByteBufInputStream(source.slice(index, length));
    }

    private static void copy(InputStream in, ByteBuf out, int maxBytes) throws IOException {
        try (in) {
            byte[] piece = new byte[16 * 1024];
            int read = in.read(piece);
            while (read >= 0) {
                bound((long) out.writerIndex() + read, maxBytes);
                out.writeBytes(piece, 0, read);
                read = in.read(piece);
            }
        }
    }

    private static void snappy(ByteBuf source, int index, int length, ByteBuf out, int maxBytes) throws IOException {
        int end = index + length;
        if (length < XERIAL_HEADER || source.getLong(index) != XERIAL_MAGIC) {
            snappyChunk(source, index, length, out, maxBytes);
            return;
        }
        int at = index + XERIAL_HEADER;
        while (at < end) {
            int chunk = end - at < 4 ? -1 : source.getInt(at);
            at += 4;
            if (chunk < 0 || chunk > end - at) {
                throw new IOException("snappy chunk does not fit");
            }
            snappyChunk(source, at, chunk, out, maxBytes);
            at += chunk;
        }
    }

    private static void snappyChunk(ByteBuf source, int index, int length, ByteBuf out, int maxBytes)
            throws IOException {
        byte[] compressed = new byte[length];
        source.getBytes(index, compressed);
        int size = Snappy.uncompressedLength(compressed);
        bound((long) out.writerIndex() + size, maxBytes);
        byte[] plain = new byte[size];
        out.writeBytes(plain, 0, Snappy.uncompress(compressed, 0, length, plain, 0));
    }

    private static void bound(long size, int maxBytes) {
        if (size > maxBytes) {
            throw new LogException(Reason.BATCH_TOO_LARGE, "records decompress to more than " + maxBytes + " bytes");
        }
    }
}
