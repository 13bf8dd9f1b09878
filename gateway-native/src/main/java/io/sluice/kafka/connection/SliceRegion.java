package io.sluice.kafka.connection;

import io.netty.channel.DefaultFileRegion;
import io.sluice.log.LogSlice;
import java.nio.channels.FileChannel;

/** A slice as a file region: {@code sendfile} from the segment. Lets go of the slice, never of the file, when it is sent. */
final class SliceRegion extends DefaultFileRegion {
    private final LogSlice slice;

    /** Takes over one reference of {@code slice}. */
    SliceRegion(FileChannel channel, LogSlice slice) {
        super(channel, slice.position(), slice.sizeInBytes());
        this.slice = slice;
    }

    @Override
    protected void deallocate() {
        slice.release();
    }
}
