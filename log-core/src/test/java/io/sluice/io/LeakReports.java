package io.sluice.io;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Collects Netty's leak reports, so that a test can fail for one. */
public final class LeakReports {
    private static final Queue<String> REPORTS = new ConcurrentLinkedQueue<>();

    private LeakReports() {}

    /** Collects from here on; reports of earlier tests do not count. */
    public static void start() {
        ByteBufUtil.setLeakListener((type, records) -> REPORTS.add(type + ": " + records));
        collect();
        REPORTS.clear();
    }

    /** Fails if a buffer became unreachable without being released. */
    public static void assertNone() {
        collect();
        assertThat(REPORTS).as("buffers not released").isEmpty();
    }

    /** A leak is found when it was collected and the next buffer is allocated. */
    private static void collect() {
        for (int i = 0; i < 3; i++) {
            System.gc();
            System.runFinalization();
            UnpooledByteBufAllocator.DEFAULT.directBuffer(1).release();
        }
    }
}
