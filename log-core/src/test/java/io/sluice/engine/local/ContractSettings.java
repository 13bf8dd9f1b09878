package io.sluice.engine.local;

/** Settings of engines under contract: small, and with periods that end only on command. */
final class ContractSettings {
    /** Free space below which the disk counts as full, bytes. */
    static final long FULL = 8L << 20;

    private ContractSettings() {}

    static LocalLogSettings of() {
        LocalLogSettings d = LocalLogSettings.DEFAULT;
        return new LocalLogSettings(
                1,
                1 << 20,
                0,
                d.checkpointBytes(),
                1 << 20,
                1 << 20,
                16 << 20,
                16,
                2,
                d.warmBytes(),
                0,
                d.compactionBytes(),
                d.producerIdleMillis(),
                1000,
                FULL,
                FULL + 1);
    }
}
