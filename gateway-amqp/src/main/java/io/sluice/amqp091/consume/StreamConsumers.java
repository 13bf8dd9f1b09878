package io.sluice.amqp091.consume;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.session.ChannelContext;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.amqp091.session.Refusals;
import io.sluice.amqp091.session.Session;
import io.sluice.amqp091.stream.StreamFilter;
import io.sluice.amqp091.stream.StreamReader;
import io.sluice.amqp091.stream.StreamStart;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamInfo;
import io.sluice.message.RecordView;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The consumers of streams on one channel. Confined to the loop. */
final class StreamConsumers {
    private static final Logger LOG = LoggerFactory.getLogger(StreamConsumers.class);

    private final Session connection;
    private final ChannelContext channel;
    private final ChannelConsumers consumers;
    private final DeliveryWriter writer;
    private final UnackedDeliveries unacked;
    private final Map<String, StreamConsumer> byTag = new HashMap<>();

    StreamConsumers(
            Session connection,
            ChannelContext channel,
            ChannelConsumers consumers,
            DeliveryWriter writer,
            UnackedDeliveries unacked) {
        this.connection = connection;
        this.channel = channel;
        this.consumers = consumers;
        this.writer = writer;
        this.unacked = unacked;
    }

    boolean isEmpty() {
        return byTag.isEmpty();
    }

    /** Adds what they are to a listing. */
    void describe(List<ConnectionInfo.Consumer> into) {
        for (StreamConsumer consumer : byTag.values()) {
            into.add(new ConnectionInfo.Consumer(consumer.tag(), consumer.stream(), true, consumer.prefetch()));
        }
    }

    boolean has(String tag) {
        return byTag.containsKey(tag);
    }

    /**
     * Starts a consumer.
     *
     * @throws AmqpException what RabbitMQ refuses: no prefetch, automatic acknowledgement, a prefetch over the channel
     */
    void consume(
            BasicMethod.Consume consume, String name, StreamInfo stream, String tag, int prefetch, boolean global) {
        String named = "stream " + Refusals.named(name, connection.host().name());
        if (consume.noAck()) {
            throw new AmqpException(ReplyCode.NOT_IMPLEMENTED, "automatic acknowledgement not supported by " + named);
        }
        if (global) {
            throw new AmqpException(ReplyCode.NOT_IMPLEMENTED, named + " does not support global qos");
        }
        if (prefetch == 0) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "consumer prefetch count is not set for " + named);
        }
        StreamStart start = ConsumerArguments.streamStart(connection, name, consume.arguments());
        StreamFilter filter = ConsumerArguments.streamFilter(connection, name, consume.arguments());
        StreamConsumer consumer = new StreamConsumer(this, tag, name, stream.id(), filter, prefetch);
        List<CompletableFuture<Long>> found = new ArrayList<>();
        for (int i = 0; i < stream.partitions(); i++) {
            LogPartition partition = connection.shared().broker().engine().partition(new PartitionId(stream.id(), i));
            if (partition != null) {
                consumer.add(new StreamReader(partition, connection.executor(), consumer));
                found.add(StreamReader.find(partition, start).toCompletableFuture());
            }
        }
        byTag.put(tag, consumer);
        if (found.isEmpty()) {
            throw new IllegalStateException("stream '" + name + "' has no partition");
        }
        connection.await(
                channel.number(),
                consume.id(),
                CompletableFuture.allOf(found.toArray(CompletableFuture[]::new)),
                done -> {
                    if (!consume.noWait()) {
                        channel.reply(new BasicMethod.ConsumeOk(tag));
                    }
                    for (int i = 0; i < found.size(); i++) {
                        consumer.readers().get(i).start(found.get(i).getNow(0L));
                    }
                });
    }

    /** False if there is none of this tag. */
    boolean cancel(String tag) {
        StreamConsumer consumer = byTag.remove(tag);
        if (consumer == null) {
            return false;
        }
        consumer.close();
        return true;
    }

    boolean mayDeliver() {
        return consumers.isFlowing() && connection.output().isWritable();
    }

    void deliver(StreamConsumer consumer, RecordView record) {
        unacked.add(writer.deliverFromStream(consumer.tagBytes(), record), consumer, record.offset());
        connection.shared().sent().increment();
        connection.output().spill();
        connection.output().wrote();
    }

    /** Goes on where settlements or the socket have made room. */
    void resume() {
        for (StreamConsumer consumer : new ArrayList<>(byTag.values())) {
            consumer.pump();
        }
    }

    /** Tells the client of a consumer that gets nothing more. */
    void ended(StreamConsumer consumer, String why) {
        if (byTag.remove(consumer.tag(), consumer)) {
            LOG.info("{}: consumer '{}' of stream '{}' ends: {}", connection, consumer.tag(), consumer.stream(), why);
            consumer.close();
            consumers.tellCancelled(consumer.tag());
        }
    }

    /** Ends the consumers of streams that are gone. */
    void streamsChanged() {
        for (StreamConsumer consumer : new ArrayList<>(byTag.values())) {
            StreamInfo present = connection.host().table().stream(consumer.stream());
            if (present == null || !present.id().equals(consumer.id())) {
                ended(consumer, "the stream is deleted");
            }
        }
    }

    void release() {
        byTag.values().forEach(StreamConsumer::close);
        byTag.clear();
    }
}
