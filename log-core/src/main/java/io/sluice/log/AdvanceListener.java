package io.sluice.log;

/** Told when a partition's high watermark moved. */
@FunctionalInterface
public interface AdvanceListener {
    /** Runs on the partition's writer thread, once per commit, in order; must not block: hop to the own executor. */
    void advanced(LogPartition partition, long highWatermark);
}
