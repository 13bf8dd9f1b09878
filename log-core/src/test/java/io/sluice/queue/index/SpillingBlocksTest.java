package io.sluice.queue.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.sluice.engine.ScratchSpace;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.io.StorageFile;
import io.sluice.log.LogException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpillingBlocksTest {
    private static final int FILE = 10_000;

    @TempDir
    Path dir;

    private boolean full;

    private final ScratchSpace scratch = new ScratchSpace() {
        private final DiskFileSystem files = new DiskFileSystem();

        @Override
        public StorageFile create(String name) throws IOException {
            if (full) {
                throw new NoSpaceException("full");
            }
            return files.open(dir.resolve(name), true);
        }

        @Override
        public void delete(String name) throws IOException {
            files.delete(dir.resolve(name));
        }
    };

    @Test
    void givesBackWhatItTook() throws IOException {
        Random random = new Random(4);
        SpillingBlocks blocks = new SpillingBlocks(scratch, 20_000, FILE, 1024);
        Map<Long, byte[]> model = new HashMap<>();
        long live = 0;
        for (int step = 0; step < 20_000; step++) {
            if (random.nextInt(100) < (step / 2_000 % 2 == 0 ? 60 : 40) || model.isEmpty()) {
                byte[] bytes = new byte[1 + random.nextInt(3_000)];
                random.nextBytes(bytes);
                long id = blocks.put(Unpooled.wrappedBuffer(bytes));
                assertThat(model.put(id, bytes)).isNull();
                live += bytes.length;
            } else {
                List<Long> ids = new ArrayList<>(model.keySet());
                long id = ids.get(random.nextInt(ids.size()));
                assertThat(read(blocks, id)).isEqualTo(model.get(id));
                live -= model.remove(id).length;
                blocks.free(id);
            }
            assertThat(blocks.heapBytes()).isLessThanOrEqualTo(20_000);
            assertThat(blocks.fileBytes()).as("files of which little is needed").isLessThan(5 * live + 2 * FILE);
        }
        model.forEach((id, bytes) -> assertThat(read(blocks, id)).isEqualTo(bytes));
        blocks.close();
        try (var left = Files.list(dir)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void withoutSpaceTheHeapTakesIt() {
        SpillingBlocks blocks = new SpillingBlocks(scratch, 0, FILE, 1024);
        full = true;
        long id = blocks.put(Unpooled.copiedBuffer(new byte[] {1, 2, 3}));
        assertThat(read(blocks, id)).containsExactly(1, 2, 3);
        assertThat(blocks.heapBytes()).isEqualTo(3);
    }

    @Test
    void aDamagedBlockIsNotBelieved() throws IOException {
        SpillingBlocks blocks = new SpillingBlocks(scratch, 0, FILE, 1024);
        long id = blocks.put(Unpooled.copiedBuffer(new byte[] {1, 2, 3}));
        Path file;
        try (var all = Files.list(dir)) {
            file = all.findFirst().orElseThrow();
        }
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.write(file, bytes, StandardOpenOption.WRITE);
        assertThatThrownBy(() -> read(blocks, id))
                .isInstanceOf(LogException.class)
                .hasMessageContaining("damaged");
        blocks.close();
    }

    private static byte[] read(SpillingBlocks blocks, long id) {
        ByteBuf into = Unpooled.buffer();
        blocks.get(id, into);
        return ByteBufUtil.getBytes(into);
    }
}
