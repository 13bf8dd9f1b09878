package io.sluice.shard;

import java.util.ArrayList;
import java.util.concurrent.Executor;

/** The outgoing tasks of the current pass, one per executor. Shard thread. */
final class LoopTasks {
    private final ArrayList<LoopTask> open = new ArrayList<>();

    /** The open task of this executor. There are few loops, so a scan finds it fastest. */
    LoopTask of(Executor executor) {
        for (int i = 0; i < open.size(); i++) {
            LoopTask task = open.get(i);
            if (task.executor() == executor) {
                return task;
            }
        }
        LoopTask task = new LoopTask(executor);
        open.add(task);
        return task;
    }

    /** Posts all tasks. A shard that has ended runs its own at once, which may come back here. */
    void post() {
        while (!open.isEmpty()) {
            open.remove(open.size() - 1).post();
        }
    }
}
