package io.sluice.server.management.rabbit;

import io.sluice.engine.LogEngine.DiskState;
import io.sluice.routing.Broker;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.util.ArrayList;
import java.util.List;

/** What the broker is short of. Stateless. */
final class Alarms {
    /** Percent of the heap that may be live after a collection. */
    private static final int MOST_LIVE = 90;

    private Alarms() {}

    /** Resources that are short, by RabbitMQ's names. */
    static List<String> of(Broker broker) {
        List<String> alarms = new ArrayList<>();
        if (isDiskFull(broker)) {
            alarms.add("disk");
        }
        if (isMemoryShort()) {
            alarms.add("memory");
        }
        return alarms;
    }

    /** Publishers of what is to be kept are paused, or nothing is kept any more. */
    static boolean isDiskFull(Broker broker) {
        return broker.engine().diskState() == DiskState.FULL || hasDiskFailed(broker);
    }

    static boolean hasDiskFailed(Broker broker) {
        return broker.engine().diskState() == DiskState.FAILED;
    }

    /** Hardly anything was free of the heap after it was last collected. */
    static boolean isMemoryShort() {
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            MemoryUsage live = pool.getType() == MemoryType.HEAP ? pool.getCollectionUsage() : null;
            if (live != null
                    && live.getMax() > 0
                    && live.getMax() >= Runtime.getRuntime().maxMemory() / 2
                    && live.getUsed() > live.getMax() / 100 * MOST_LIVE) {
                return true;
            }
        }
        return false;
    }
}
