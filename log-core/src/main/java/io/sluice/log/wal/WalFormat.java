package io.sluice.log.wal;

/**
 * Layout of a write-ahead log file (big endian). The file has its full size from the start; what stands behind the last entry is
 * zero or left from an earlier use and fails the check of sequence or checksum. An entry starts where the one before ends or at the
 * next multiple of {@value #BLOCK}, because each write to the disk is filled up with zeros to a whole block.
 *
 * <pre>
 * header  64 bytes: magic 4 | version 4 | file number 8 | first sequence 8 | CRC-32C of the 24 bytes before 4 | zero
 * entry   magic 4 | length of the body 4 | sequence 8 | batches 4 | mentions 4 | body | CRC-32C of all before 4
 * body    batch*: stream id 16 | partition 4 | length 4 | record batch
 *         mention*: stream id 16 | partition 4 | offset 8
 * </pre>
 *
 * A mention says that records below the offset were visible without being in the log: the partition must start above it after an
 * unclean stop.
 */
final class WalFormat {
    static final int FILE_MAGIC = 0x534C574C; // SLWL
    static final int ENTRY_MAGIC = 0x534C5745; // SLWE
    static final int VERSION = 1;
    static final int BLOCK = 4096;
    static final int FILE_HEADER = 64;
    static final int FILE_HEADER_CRC = 24;
    static final int ENTRY_HEADER = 24;
    static final int BATCH_HEADER = 24;
    static final int MENTION = 28;
    static final int TRAILER = 4;

    private WalFormat() {}
}
