package io.sluice.amqp091.consume;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.amqp091.stream.StreamFilter;
import io.sluice.amqp091.stream.StreamReader;
import io.sluice.amqp091.transaction.Settler;
import io.sluice.log.StreamId;
import io.sluice.message.RecordView;
import io.sluice.queue.Settlement;
import io.sluice.shard.Transaction;
import java.util.ArrayList;
import java.util.List;

/**
 * One consumer of a stream: has its own position, gets as many messages as its prefetch and one more for each that it settles,
 * in whatever way; none comes back. Partitions are read in turn. Confined to the loop.
 */
final class StreamConsumer implements Settler, StreamReader.Listener {
    private final StreamConsumers channel;
    private final String tag;
    private final byte[] tagBytes;
    private final String stream;
    private final int prefetch;
    private final StreamId id;
    private final StreamFilter filter;
    private final List<StreamReader> readers = new ArrayList<>();
    private final RecordView record = new RecordView();
    private int credit;
    private int turn;
    private boolean closed;

    StreamConsumer(StreamConsumers channel, String tag, String stream, StreamId id, StreamFilter filter, int prefetch) {
        this.filter = filter;
        this.channel = channel;
        this.tag = tag;
        this.tagBytes = tag.getBytes(UTF_8);
        this.stream = stream;
        this.id = id;
        this.prefetch = prefetch;
        this.credit = prefetch;
    }

    /** Deliveries that may be unsettled. */
    int prefetch() {
        return prefetch;
    }

    String tag() {
        return tag;
    }

    byte[] tagBytes() {
        return tagBytes;
    }

    String stream() {
        return stream;
    }

    StreamId id() {
        return id;
    }

    void add(StreamReader reader) {
        readers.add(reader);
    }

    /** The readers, in the order of their partitions. */
    List<StreamReader> readers() {
        return readers;
    }

    /** Writes what there is, within the credit and what the socket takes. */
    void pump() {
        int empty = 0;
        while (!closed && credit > 0 && empty < readers.size() && channel.mayDeliver()) {
            StreamReader reader = readers.get(turn);
            turn = (turn + 1) % readers.size();
            if (reader.next(record)) {
                empty = 0;
                if (filter.takes(record)) {
                    credit--;
                    channel.deliver(this, record);
                }
            } else {
                empty++;
            }
        }
    }

    @Override
    public void readable() {
        pump();
    }

    @Override
    public void ended(String why) {
        channel.ended(this, why);
    }

    @Override
    public void settle(long deliveryId, Settlement how) {
        credit++;
    }

    @Override
    public void settle(Transaction transaction, long deliveryId, Settlement how) {
        // nothing of it is stored: room for more is made when the transaction is in force
    }

    @Override
    public void settledByTransaction() {
        credit++;
    }

    @Override
    public long timeoutMillis() {
        return 0;
    }

    void close() {
        closed = true;
        readers.forEach(StreamReader::close);
    }
}
