package io.sluice.log.segment;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.io.DiskFileSystem;
import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class OpenFilesTest {
    private static final int THREADS = 4;

    @TempDir
    Path directory;

    private final FileSystem files = new DiskFileSystem();
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);

    @AfterEach
    void stop() {
        // threads that wait for each other would keep the virtual machine
        threads.shutdownNow();
    }

    private List<SegmentFile> files(int count, OpenFiles budget) throws IOException {
        List<SegmentFile> created = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Path path = directory.resolve(i + ".log");
            Files.createFile(path);
            created.add(new SegmentFile(files, path, budget));
        }
        return created;
    }

    @Test
    void leastRecentlyUsedOfThoseWithoutUsersIsClosed() throws Exception {
        OpenFiles budget = new OpenFiles(2);
        List<SegmentFile> files = files(4, budget);
        StorageFile used = files.get(0).acquire();
        files.get(1).acquire();
        files.get(1).release();
        files.get(2).acquire();
        files.get(2).release();
        assertThat(budget.count()).isEqualTo(2);
        files.get(3).acquire();
        assertThat(budget.count()).isEqualTo(2);
        assertThat(files.get(0).acquire()).isSameAs(used);
    }

    @Test
    void threadsThatOpenUnderAFullBudgetDoNotWaitForEachOther() throws Exception {
        OpenFiles budget = new OpenFiles(1);
        List<SegmentFile> files = files(2 * THREADS, budget);
        CyclicBarrier together = new CyclicBarrier(THREADS);
        List<Future<?>> running = new ArrayList<>();
        for (int thread = 0; thread < THREADS; thread++) {
            int first = thread;
            running.add(threads.submit(() -> {
                for (int round = 0; round < 2_000; round++) {
                    if (round % 10 == 0) {
                        together.await();
                    }
                    // half of the rounds all want the same file, in the others each its own
                    SegmentFile file = files.get((round % 2 * first + round) % files.size());
                    StorageFile opened = file.acquire();
                    assertThat(opened.size()).isZero();
                    file.release();
                }
                return null;
            }));
        }
        for (Future<?> thread : running) {
            thread.get(30, TimeUnit.SECONDS);
        }
        assertThat(budget.count()).isLessThanOrEqualTo(THREADS);
        files.get(0).acquire();
        files.get(0).release();
        assertThat(budget.count()).isOne();
    }
}
